//! What a journal keeps, and what it notices.
