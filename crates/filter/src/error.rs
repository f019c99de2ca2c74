//! Errors of expressions: the reason, the source range and a suggested fix.

mod compile;
mod eval;
mod render;

pub use compile::{CompileError, CompileErrorKind};
pub use eval::{EvalError, EvalErrorKind};
