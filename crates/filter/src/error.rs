//! An expression that can't be used: what is wrong, where, and what to write instead.

mod compile;
mod eval;
mod render;

pub use compile::{CompileError, CompileErrorKind};
pub use eval::{EvalError, EvalErrorKind};
