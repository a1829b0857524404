//! What the readers make of tables in every form.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::{Path, PathBuf};

use deferral_core::{CaseId, ExpertId, Features, GroupId, Label, Names};
use deferral_data::*;

fn file(folder: &tempfile::TempDir, name: &str, content: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    path
}

fn decisions(name: &str, content: &str, options: &ReadOptions) -> DecisionTable {
    let folder = tempfile::tempdir().unwrap();
    read_decisions(&file(&folder, name, content), options).unwrap()
}

fn cases(name: &str, content: &str, options: &ReadOptions) -> CaseTable {
    let folder = tempfile::tempdir().unwrap();
    read_cases(&file(&folder, name, content), options).unwrap()
}

fn list(names: &Names) -> Vec<&str> {
    names.iter().collect()
}

fn triples(table: &DecisionTable) -> Vec<(u32, u32, u16)> {
    table.decisions.iter().map(|(case, vote)| (case.0, vote.expert.0, vote.label.0)).collect()
}

#[test]
fn one_table_in_every_format_and_layout_gives_the_same_decisions() {
    let default = ReadOptions::default();
    let expected = decisions("a.csv", "task,worker,label\nt1,ann,yes\nt1,bob,no\nt2,ann,no\n", &default);
    assert_eq!(triples(&expected), [(0, 0, 1), (0, 1, 0), (1, 0, 0)]);
    assert_eq!(list(&expected.labels), ["no", "yes"]);
    let wide = ReadOptions::default().wide("*", ["-", "?"]);
    for (name, content, options) in [
        ("a.tsv", "task\tworker\tlabel\nt1\tann\tyes\nt1\tbob\tno\nt2\tann\tno\n", &default),
        ("a.csv", "\u{feff}item_id , performer,label\r\nt1, ann ,yes\r\nt1,bob,no\r\n\r\nt2,ann,no", &default),
        (
            "a.jsonl",
            "\u{feff}{\"task\":\"t1\",\"worker\":\"ann\",\"label\":\"yes\",\"more\":[1,{\"a\":null}]}\r\n\n\
             {\"label\":\"no\",\"case\":null,\"task\":\"t1\",\"worker\":\"bob\"}\n\
             {\"task\":\"t2\",\"worker\":\"ann\",\"label\":\"no\"}",
            &ReadOptions::default().column(Role::Task, "task"),
        ),
        ("a.csv", "task,ann,bob\nt1,yes,no\nt2,no,-\n", &wide),
        (
            "a.NDJSON",
            "{\"ann\":\"yes\",\"task\":\"t1\",\"bob\":\"no\"}\n{\"task\":\"t2\",\"ann\":\"no\",\"bob\":\"?\"}\n",
            &wide,
        ),
    ] {
        let table = decisions(name, content, options);
        assert_eq!(triples(&table), triples(&expected), "{content}");
        assert_eq!(
            (&table.tasks, &table.workers, &table.labels),
            (&expected.tasks, &expected.workers, &expected.labels)
        );
    }
    let forced = ReadOptions { format: Some(Format::Csv), ..ReadOptions::default() };
    assert_eq!(decisions("labels.data", "task,worker,label\nt1,ann,yes\n", &forced).decisions.len(), 1);
}

#[test]
fn numbers_in_json_and_in_csv_are_the_same_names() {
    let csv = decisions("a.csv", "task,worker,label\n7,1,10\n7,2,9\n", &ReadOptions::default());
    let json = "{\"task\":7,\"worker\":1,\"label\":10.0}\n{\"task\":7.0,\"worker\":\"2\",\"label\":9}\n";
    let json = decisions("a.jsonl", json, &ReadOptions::default());
    assert_eq!(list(&json.labels), ["9", "10"]);
    assert_eq!((triples(&json), &json.tasks, &json.workers), (triples(&csv), &csv.tasks, &csv.workers));
    let large = "{\"task\":18446744073709551615,\"worker\":true,\"label\":-1}\n";
    let large = decisions("a.jsonl", large, &ReadOptions::default());
    assert_eq!((list(&large.tasks), list(&large.workers)), (vec!["18446744073709551615"], vec!["true"]));
}

#[test]
fn rows_with_a_missing_cell_are_dropped_and_counted() {
    let options = ReadOptions { missing: vec!["NA".into()], ..ReadOptions::default() };
    let content = "task,worker,label,seconds,note\n1,a,0,3,\n,a,0,3,\n2,NA,0,3,\n3,a, ,3,\n4,a,NA,3,x\n5,b,0,3,\n";
    let table = decisions("labels.csv", content, &options);
    let report = &table.report;
    assert_eq!((report.rows, report.kept, report.decisions), (6, 2, 2));
    let dropped = |reason, rows| Dropped { reason, rows };
    assert_eq!(
        report.dropped,
        [dropped(DropReason::NoTask, 1), dropped(DropReason::NoWorker, 1), dropped(DropReason::NoLabel, 2)]
    );
    assert_eq!(report.dropped_for(DropReason::NoLabel), 2);
    assert_eq!(list(&table.tasks), ["1", "5"]);
    assert_eq!(report.unused_columns, ["seconds", "note"]);
    let shown = report.to_string();
    assert!(
        shown.ends_with(
            "labels.csv: 6 rows read, 2 kept, 1 dropped without a task, 1 dropped without a worker, \
             2 dropped without a label; 2 decisions of 2 experts"
        ),
        "{shown}"
    );
    let json = serde_json::to_string(report).unwrap();
    assert_eq!(&serde_json::from_str::<ReadReport>(&json).unwrap(), report);
}

#[test]
fn an_expert_column_without_a_label_stays_in_the_roster() {
    let table = decisions("a.csv", "w1,w2,w3\n0,-,\n1,-,\n-,-,\n", &ReadOptions::default().wide("w*", ["-"]));
    assert_eq!(list(&table.workers), ["w1", "w2", "w3"]);
    assert_eq!(list(&table.tasks), ["1", "2", "3"]);
    assert_eq!((table.report.kept, table.report.experts_without_decisions), (3, 2));
    assert!(table.decisions.of_expert(ExpertId(1)).is_empty());
}

#[test]
fn a_pattern_never_takes_columns_with_another_role() {
    let options = ReadOptions::default().wide("*", []).column(Role::Label, "truth").column(Role::Group, "dialect");
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "both.csv", ",task,text,truth,dialect,a,b\n9,x,hello,1,north,1,0\n8,y,there,0,south,0,\n");
    let records = Records::from_wide(&path, &options).unwrap();
    assert_eq!(list(&records.experts), ["a", "b"]);
    assert_eq!(records.decisions.len(), 3);
    assert_eq!(list(&records.groups[0].values), ["north", "south"]);
}

#[test]
fn a_label_map_renames_while_reading() {
    let label_map = [("0", "offensive"), ("1", "offensive"), ("2", "fine")];
    let label_map = label_map.map(|(from, to)| (from.to_owned(), to.to_owned())).to_vec();
    let options = ReadOptions { label_map, ..ReadOptions::default() };
    let table = cases("cases.csv", "task,label\na,2\nb,0\nc,1\nd,\n", &options);
    assert_eq!(list(&table.label_names), ["fine", "offensive"]);
    assert_eq!(table.labels, [Some(Label(0)), Some(Label(1)), Some(Label(1)), None]);
}

#[test]
fn text_groups_features_and_a_list() {
    let options = ReadOptions { features: FeatureColumns::Named(vec!["b".into()]), ..ReadOptions::default() }
        .column(Role::Feature, "a")
        .column(Role::List, "v")
        .column(Role::Group, "sex")
        .column(Role::Group, "a");
    let content = "case,text,sex,a,b,v,note\n1,\" Two\r\nlines \",f,1,-2.5,[1 2],x\n2,,,2,1e3,\"[3,4]\",y\n";
    let table = cases("cases.csv", content, &options);
    let text = table.inputs.text.as_ref().unwrap();
    assert_eq!(text, &[" Two\r\nlines ", ""]);
    let numeric = table.inputs.numeric.as_ref().unwrap();
    assert_eq!(numeric.names, ["a", "b", "v[0]", "v[1]"]);
    assert_eq!(numeric.values.values(), [1.0, -2.5, 1.0, 2.0, 2.0, 1000.0, 3.0, 4.0]);
    assert_eq!(list(&table.groups[0].values), ["f", MISSING_GROUP]);
    assert_eq!(table.groups[1].of_case, [GroupId(0), GroupId(1)]);
    assert_eq!((table.report.cases_without_text, table.report.groups_missing), (1, 1));
    assert_eq!((table.report.cases_without_label, table.report.unused_columns.clone()), (2, vec!["note".to_owned()]));
    let json = "{\"case\":1,\"text\":\" Two\\r\\nlines \",\"sex\":\"f\",\"a\":1,\"b\":-2.5,\"v\":[1,2.0],\"note\":0}\n\
                {\"case\":2,\"text\":null,\"a\":2.0,\"b\":1000,\"v\":[3,4]}\n";
    let json = cases("cases.jsonl", json, &options);
    assert_eq!((json.inputs, json.groups), (table.inputs, table.groups));
}

#[test]
fn all_features_leave_out_the_row_index_and_columns_with_a_role() {
    let options = ReadOptions { features: FeatureColumns::All, ..ReadOptions::default() };
    let table = cases("cases.csv", ",task,label,x,y\n0,a,1,2,3\n1,b,0,4,5\n", &options);
    assert_eq!(table.inputs.numeric.unwrap().names, ["x", "y"]);
    let none = cases("cases.csv", ",task,label,x,y\n0,a,1,2,3\n", &ReadOptions::default());
    assert_eq!((none.ids.len(), none.inputs), (1, Inputs::default()));
    let wide = ReadOptions { features: FeatureColumns::All, ..ReadOptions::default() }.wide("w*", []);
    assert_eq!(cases("cases.csv", "w1,x\n0,2\n", &wide).inputs.numeric.unwrap().names, ["x"]);
}

#[test]
fn joining_unites_labels_and_keeps_the_order_of_the_cases() {
    let folder = tempfile::tempdir().unwrap();
    let known = file(&folder, "cases.csv", "task,label,group\nc,2,x\na,,y\nb,1,x\n");
    let decided = file(&folder, "labels.csv", "task,worker,label\na,w,3\nb,w,0\nb,v,2\n");
    let options = ReadOptions::default();
    let tables = (read_cases(&known, &options).unwrap(), read_decisions(&decided, &options).unwrap());
    let records = join(tables.0, tables.1, UnknownTask::Refuse).unwrap();
    assert_eq!(list(&records.label_names), ["0", "1", "2", "3"]);
    assert_eq!(records.labels, [Some(Label(2)), None, Some(Label(1))]);
    assert_eq!(records.decisions.get(CaseId(1), ExpertId(0)), Some(Label(3)));
    assert_eq!(records.decisions.get(CaseId(2), ExpertId(0)), Some(Label(0)));
    assert_eq!(records.decisions.get(CaseId(2), ExpertId(1)), Some(Label(2)));
    assert_eq!(records.decisions.of_case(CaseId(0)).len(), 0);

    let chosen = records.select(&[2, 0]);
    assert_eq!(list(&chosen.ids), ["b", "c"]);
    assert_eq!((chosen.decisions.len(), chosen.n()), (2, 2));
    let data = chosen.dataset(Features::none(2)).unwrap();
    assert_eq!((data.n(), data.m(), data.k()), (2, 2, 4));
    assert!(chosen.dataset(Features::none(3)).is_err());
    assert_eq!(chosen.dataset(Features::none(chosen.inputs.n())).unwrap(), data);

    let (cases, decisions) = records.clone().into_tables().unwrap();
    let again = join(cases, decisions, UnknownTask::Refuse).unwrap();
    assert_eq!((again.decisions, again.labels), (records.decisions, records.labels));
}

#[test]
fn options_are_data() {
    let options = ReadOptions { features: FeatureColumns::Named(vec!["a".into()]), ..ReadOptions::default() }
        .column(Role::Text, "Tweet")
        .wide("Expert *", ["-"]);
    let json = serde_json::to_string(&options).unwrap();
    assert_eq!(serde_json::from_str::<ReadOptions>(&json).unwrap(), options);
    assert!(serde_json::from_str::<ReadOptions>("{\"colums\":[]}").is_err());
}

#[test]
fn three_hundred_thousand_rows() {
    use std::fmt::Write;
    let (tasks, workers) = (30_000, 240);
    let mut content = String::from("task,worker,label\n");
    for row in 0..300_000u32 {
        // Ten different workers a task, far apart in the file.
        let (task, round) = (row % tasks, row / tasks);
        writeln!(content, "t{task},w{},{}", (task + 7 * round) % workers, row % 3).unwrap();
    }
    let table = decisions("labels.csv", &content, &ReadOptions::default());
    assert_eq!((table.report.rows, table.report.kept, table.decisions.len()), (300_000, 300_000, 300_000));
    assert_eq!((table.tasks.len(), table.workers.len(), table.labels.len()), (30_000, 240, 3));
    assert_eq!(table.decisions.of_case(CaseId(29_999)).len(), 10);
    assert_eq!(table.decisions.get(CaseId(5), ExpertId(5)), Some(Label(2)));
    assert_eq!(table.decisions.of_expert(ExpertId(0)).len(), 1250);
}

#[test]
fn public_types_can_cross_threads() {
    fn check<T: Send + Sync + std::fmt::Debug + Clone>() {}
    check::<CaseTable>();
    check::<DecisionTable>();
    check::<Records>();
    check::<ReadOptions>();
    check::<RouteRow>();
    let _: fn(&Path, Option<Format>) -> Result<Vec<RouteRow>, TableError> = read_routes;
}

#[test]
fn a_given_division_is_read_by_name_or_by_role() {
    use Part::{Test, Train, Validation};
    let default = ReadOptions::default();
    let by_name = "task,split\na,train\nb, valid\nc,dev\nd,validation\ne,test\n";
    assert_eq!(cases("c.csv", by_name, &default).parts, Some(vec![Train, Validation, Validation, Validation, Test]));
    let json = "{\"task\":1,\"split\":\"test\"}\n{\"task\":2,\"split\":\"train\"}\n";
    assert_eq!(cases("c.jsonl", json, &default).parts, Some(vec![Test, Train]));
    let fold = "task,Fold,x\na,train,1\nb,test,2\n";
    assert_eq!(cases("c.csv", fold, &default).parts, None);
    let named = ReadOptions { features: FeatureColumns::All, ..ReadOptions::default() }.column(Role::Split, "Fold");
    let table = cases("c.csv", fold, &named);
    assert_eq!(table.parts, Some(vec![Train, Test]));
    assert_eq!(table.inputs.numeric.unwrap().names, ["x"]);
    // A row that is dropped is in no part.
    assert_eq!(cases("c.csv", "task,split\n,train\nb,test\n", &default).parts, Some(vec![Test]));
}

#[test]
fn a_given_division_stays_with_its_cases() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "both.csv", "task,split,w1\na,train,0\nb,test,1\nc,dev,-\n");
    // The column of the division is not an expert, whatever the pattern.
    let records = Records::from_wide(&path, &ReadOptions::default().wide("*", ["-"])).unwrap();
    assert_eq!(list(&records.experts), ["w1"]);
    assert_eq!(records.parts, Some(vec![Part::Train, Part::Test, Part::Validation]));
    assert_eq!(records.select(&[2, 0]).parts, Some(vec![Part::Validation, Part::Train]));
    let (cases, _) = records.into_tables().unwrap();
    let mut csv = Vec::new();
    cases.write_to(&mut csv, Format::Csv).unwrap();
    assert_eq!(String::from_utf8(csv).unwrap(), "task,split\na,train\nb,test\nc,validation\n");
}

#[test]
fn stated_confidences_stay_with_their_decisions() {
    let content = "task,worker,label,confidence\nt2,bob,1,0.75\nt1,bob,0,\nt1,ann,1,1\nt3,ann,0,0.5\n";
    let table = decisions("a.csv", content, &ReadOptions::default());
    let said = |decisions: &deferral_core::Decisions, task: u32, worker: u32| {
        decisions.confidence(CaseId(task), ExpertId(worker))
    };
    assert_eq!((list(&table.tasks), list(&table.workers)), (vec!["t2", "t1", "t3"], vec!["bob", "ann"]));
    assert_eq!(said(&table.decisions, 0, 0), Some(0.75));
    assert_eq!((said(&table.decisions, 1, 0), said(&table.decisions, 1, 1)), (None, Some(1.0)));
    assert_eq!(table.report.unused_columns, [""; 0]);
    let mut csv = Vec::new();
    table.write_to(&mut csv, Format::Csv).unwrap();
    let written = "task,worker,label,confidence\nt2,bob,1,0.75\nt1,bob,0,\nt1,ann,1,1\nt3,ann,0,0.5\n";
    assert_eq!(String::from_utf8(csv).unwrap(), written);
    // Joined to cases in another order, of which one is not known.
    let joined = join(cases("c.csv", "task\nt1\nt0\nt2\n", &ReadOptions::default()), table, UnknownTask::Drop).unwrap();
    assert_eq!(said(&joined.decisions, 2, 0), Some(0.75));
    assert_eq!((said(&joined.decisions, 0, 0), said(&joined.decisions, 0, 1)), (None, Some(1.0)));
    let nothing = decisions("a.csv", "task,worker,label,confidence\nt,w,1,\n", &ReadOptions::default());
    assert!(!nothing.decisions.has_confidences());
    let sure = ReadOptions::default().column(Role::Confidence, "sure");
    let named = decisions("a.jsonl", "{\"task\":1,\"worker\":2,\"label\":3,\"sure\":0.25}\n", &sure);
    assert_eq!(said(&named.decisions, 0, 0), Some(0.25));
}
