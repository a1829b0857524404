//! Choosing, listening and learning case by case.
