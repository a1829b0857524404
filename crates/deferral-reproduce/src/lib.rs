//! Every published table and figure, run again and judged cell by cell.

pub mod catalogue;
pub mod fetch;
