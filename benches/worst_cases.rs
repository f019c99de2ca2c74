//! The time until an evaluation that is too costly ends, with the default limits: group "worst
//! cases".
//!
//! Each case must end with `TooCostly` before it is measured. The budget is right if none takes
//! more than 100 ms.

mod worst;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

fn worst_cases(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("worst cases");
    group.sample_size(10).warm_up_time(Duration::from_millis(1));
    group.measurement_time(Duration::from_millis(500));
    for (name, evaluate) in worst::cases() {
        let answer = evaluate();
        let ends = answer.as_ref().is_err_and(|error| error.is_too_costly());
        assert!(ends, "{name}: {answer:?}");
        group.bench_function(name, |bencher| bencher.iter(|| black_box(evaluate())));
    }
    group.finish();
}

criterion_group!(benches, worst_cases);
criterion_main!(benches);
