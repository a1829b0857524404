//! Arrays that `NumPy` wrote, and the data sets that are published as such.

mod header;
mod learning_to_defer;
mod npy;
mod npz;
#[cfg(test)]
mod testing;

pub use header::NpyError;
pub use learning_to_defer::{LearningToDeferError, read_learning_to_defer};
pub use npy::Array;
pub use npz::{Archive, NpzError};
