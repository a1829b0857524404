//! The program `reproduce`.
fn main() {}
