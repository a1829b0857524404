//! No bytes make a reader panic, and what is written is read back.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use deferral_core::{Columns, Decisions, GroupAttribute, Label, Names};
use deferral_data::*;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

/// Reads the bytes as every kind of table, in every format and layout.
fn read_all(bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    for name in ["t.csv", "t.tsv", "t.jsonl"] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        for options in [
            ReadOptions::default(),
            ReadOptions { features: FeatureColumns::All, ..ReadOptions::default() },
            ReadOptions::default().wide("*", ["-"]),
            ReadOptions::default().column(Role::List, "a").column(Role::Group, "b"),
        ] {
            for error in [
                read_decisions(&path, &options).err(),
                read_cases(&path, &options).err(),
                Records::from_wide(&path, &options).err(),
                read_routes(&path, None).err(),
            ] {
                assert!(error.is_none_or(|e| e.to_string().len() > 10));
            }
        }
    }
}

fn name() -> impl Strategy<Value = String> {
    "[^ \t\r\n\\p{White_Space}]([^\\p{Z}]{0,6}[^\\p{White_Space}])?"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn arbitrary_bytes(bytes: Vec<u8>) {
        read_all(&bytes);
    }

    #[test]
    fn almost_tables(
        header in prop::sample::select(vec!["task,worker,label", "task,worker,label,confidence", "task,split,a", "task,a,b", "a,b,text", "task\troute\tweights"]),
        body in "[ab01,;\t\r\n\"\\-\u{feff}]{0,80}",
    ) {
        read_all(format!("{header}\n{body}").as_bytes());
    }

    #[test]
    fn almost_json(lines in vec("\\{(\"(task|worker|label|a)\":(1|\"x\"|null|\\[1,2\\]|-0.5e1|\\{\\}),?){0,4}\\}?", 0..5)) {
        read_all(lines.join("\n").as_bytes());
    }

    #[test]
    fn cut_anywhere(end in 0usize..62) {
        let table = "task,worker,label\nt1,\"a\nb\",1\r\nt2,\u{e4}\u{20ac},0\n\nt3,c,\"1\"\n";
        let bytes = table.as_bytes();
        read_all(&bytes[..end.min(bytes.len())]);
    }

    #[test]
    fn decisions_survive(
        tasks in btree_set(name(), 1..6),
        workers in btree_set(name(), 1..5),
        labels in btree_set(name(), 1..4),
        cells in vec(any::<u16>(), 30),
        sure in vec(prop::option::of(0.0f64..=1.0), 30),
    ) {
        let (n, m, k) = (tasks.len(), workers.len(), labels.len());
        let pairs = (0..n * m).zip(&cells).filter(|(_, cell)| **cell % 3 > 0);
        let triples: Vec<_> = pairs.map(|(at, cell)| ((at / m) as u32, (at % m) as u32, cell % k as u16)).collect();
        prop_assume!(!triples.is_empty());
        let names = |set: &std::collections::BTreeSet<String>| set.iter().collect::<Names>();
        let said = |case: deferral_core::CaseId, expert: deferral_core::ExpertId| sure[case.index() * m + expert.index()];
        let decisions = Decisions::from_triples(n, m, triples).unwrap().with_confidences(said);
        let table = DecisionTable::new(decisions, names(&tasks), names(&workers), names(&labels)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        for file in ["d.csv", "d.tsv", "d.jsonl"] {
            let path = folder.path().join(file);
            table.write(&path).unwrap();
            let back = read_decisions(&path, &ReadOptions::default()).unwrap();
            let named = |table: &DecisionTable| {
                let row = |(case, vote): (deferral_core::CaseId, deferral_core::Vote)| {
                    let place = (table.tasks.show(case.index()).to_owned(), table.workers.show(vote.expert.index()).to_owned());
                    let label = table.labels.show(vote.label.index()).to_owned();
                    let sure = table.decisions.confidence(case, vote.expert).map(f64::to_bits);
                    (place, (label, sure))
                };
                table.decisions.iter().map(row).collect::<std::collections::BTreeMap<_, _>>()
            };
            prop_assert_eq!(named(&back), named(&table));
        }
    }

    #[test]
    fn cases_survive(
        ids in btree_set(name(), 1..6),
        texts in vec(any::<String>(), 6),
        numbers in vec(prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO, 12),
        groups in vec(name(), 6),
        labels in vec(prop::option::of(0u16..3), 6),
        parts in prop::option::of(vec(prop::sample::select(vec![Part::Train, Part::Validation, Part::Test]), 6)),
    ) {
        let n = ids.len();
        let numeric = Numeric { names: vec!["x".into(), "y".into()], values: Columns::from_values(2, numbers[..2 * n].to_vec()) };
        let inputs = Inputs::new(n, Some(texts[..n].to_vec()), Some(numeric)).unwrap();
        let mut table = CaseTable::new(ids.iter().collect(), inputs).unwrap();
        table.labels = labels[..n].iter().map(|label| label.map(Label)).collect();
        table.label_names = ["a", "b", "c"].iter().collect();
        table.parts = parts.map(|parts| parts[..n].to_vec());
        table.groups = vec![GroupAttribute::from_values("region", &groups[..n])];
        let folder = tempfile::tempdir().unwrap();
        let options = ReadOptions { features: FeatureColumns::All, ..ReadOptions::default() }.column(Role::Group, "region");
        for file in ["c.csv", "c.jsonl"] {
            let path = folder.path().join(file);
            table.write(&path).unwrap();
            let back = read_cases(&path, &options).unwrap();
            prop_assert_eq!(&back.ids, &table.ids);
            prop_assert_eq!(&back.inputs, &table.inputs);
            prop_assert_eq!(&back.groups, &table.groups);
            prop_assert_eq!(&back.parts, &table.parts);
            let shown = |table: &CaseTable| {
                let name = |label: &Option<Label>| label.map(|l| table.label_names.show(l.index()).to_owned());
                table.labels.iter().map(name).collect::<Vec<_>>()
            };
            prop_assert_eq!(shown(&back), shown(&table));
        }
    }

    #[test]
    fn routes_survive(
        tasks in vec(name(), 1..4),
        experts in vec(name(), 0..4),
        weights in vec(prop::num::f64::NORMAL, 0..4),
        label in prop::option::of(name()),
        committee: bool,
    ) {
        let route = if committee { RouteKind::Committee } else { RouteKind::Model };
        let row = |task: &String| RouteRow {
            task: task.clone(), route, experts: experts.clone(), weights: weights.clone(),
            probabilities: vec![0.25, 0.75], label: label.clone(), reason: "sure, \"very\"".into(), policy: String::new(),
            propensities: weights.clone(), confidence: weights.first().copied(),
        };
        let rows: Vec<RouteRow> = tasks.iter().map(row).collect();
        let folder = tempfile::tempdir().unwrap();
        for file in ["r.csv", "r.jsonl"] {
            let path = folder.path().join(file);
            write_routes(&path, &rows).unwrap();
            prop_assert_eq!(&read_routes(&path, None).unwrap(), &rows);
        }
    }
}

#[test]
fn a_route_in_json_lines() {
    let row = RouteRow {
        task: "7".into(),
        route: RouteKind::Committee,
        experts: vec!["ann".into(), "b;b".into()],
        weights: vec![0.5, 1.0],
        probabilities: vec![0.1, 0.9],
        label: Some("1".into()),
        reason: "weights".into(),
        policy: "ab12".into(),
        propensities: vec![1.0, 0.25],
        confidence: Some(0.875),
    };
    let written = |format| {
        let mut out = Vec::new();
        write_routes_to(&mut out, format, [&row]).unwrap();
        String::from_utf8(out).unwrap()
    };
    assert_eq!(
        written(Format::Jsonl),
        "{\"task\":\"7\",\"route\":\"committee\",\"experts\":[\"ann\",\"b;b\"],\"weights\":[0.5,1.0],\
         \"probabilities\":[0.1,0.9],\"label\":\"1\",\"reason\":\"weights\",\"policy\":\"ab12\",\"propensities\":[1.0,0.25],\
         \"confidence\":0.875}\n"
    );
    assert_eq!(serde_json::from_str::<RouteRow>(&written(Format::Jsonl)).unwrap(), row);
    assert_eq!(
        written(Format::Csv),
        "task,route,experts,weights,probabilities,label,reason,policy,propensities,confidence\n\
         7,committee,\"[\"\"ann\"\",\"\"b;b\"\"]\",0.5;1,0.1;0.9,1,weights,ab12,1;0.25,0.875\n"
    );
}
