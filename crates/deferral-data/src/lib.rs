//! Tables of cases and decisions, and text to features.
