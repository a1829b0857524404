//! Reading decisions takes at most 16 bytes each, however long the file is.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fmt::Write;

use deferral_data::{ReadOptions, read_decisions};

#[test]
fn sixteen_bytes_a_decision_at_the_peak() {
    let folder = tempfile::tempdir().unwrap();
    let decisions = 400_000;
    for (name, open, close) in [("labels.csv", "", ""), ("labels.jsonl", "{\"task\":", "}")] {
        let path = folder.path().join(name);
        let mut content = String::from(if open.is_empty() { "task,worker,label\n" } else { "" });
        for row in 0..decisions {
            let (task, worker, label) = (row % 1000, row / 1000, row % 2);
            let (to_worker, to_label) = if open.is_empty() { (",", ",") } else { (",\"worker\":", ",\"label\":") };
            writeln!(content, "{open}{task}{to_worker}{worker}{to_label}{label}{close}").unwrap();
        }
        std::fs::write(&path, content).unwrap();
        let mut read = 0;
        let info = allocation_counter::measure(|| {
            read = read_decisions(&path, &ReadOptions::default()).unwrap().decisions.len();
        });
        assert_eq!(read, decisions);
        // Beside the decisions: two buffers of 64 KiB, 1400 names, the starts of 1000 tasks and the last block, which is
        // allocated whole.
        let beside = info.bytes_max.saturating_sub(16 * decisions as u64);
        assert!(beside < 1_200_000, "{name}: {} bytes, {beside} beside the decisions", info.bytes_max);
        // 400,000 rows, and no allocation for each.
        assert!(info.count_total < 5_000, "{name}: {} allocations", info.count_total);
    }
}
