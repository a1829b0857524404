//! Every refusal names file, row and column and says what to do.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;

use deferral_core::{Decisions, Names};
use deferral_data::*;

/// Reads `content` from a file called `name` and gives the message without the folder.
fn refused<T: std::fmt::Debug>(
    name: &str,
    content: impl AsRef<[u8]>,
    read: impl FnOnce(&Path) -> Result<T, TableError>,
) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    let error = read(&path).unwrap_err();
    let folder = format!("{}/", folder.path().display());
    if let Some(place) = error.place() {
        assert_eq!(place.file, path);
    }
    error.to_string().replace(&folder, "")
}

fn decisions(content: impl AsRef<[u8]>) -> String {
    refused("labels.csv", content, |path| read_decisions(path, &ReadOptions::default()))
}

fn decisions_with(content: &str, options: &ReadOptions) -> String {
    refused("labels.csv", content, |path| read_decisions(path, options))
}

fn json(content: impl AsRef<[u8]>) -> String {
    refused("labels.jsonl", content, |path| read_decisions(path, &ReadOptions::default()))
}

fn cases(content: impl AsRef<[u8]>) -> String {
    let options = ReadOptions { features: FeatureColumns::All, ..ReadOptions::default() };
    refused("cases.csv", content, |path| read_cases(path, &options))
}

#[test]
fn a_missing_file_and_an_unknown_format() {
    let missing = read_decisions(Path::new("no-such-folder/labels.csv"), &ReadOptions::default()).unwrap_err();
    let message = missing.to_string();
    assert!(message.starts_with("cannot read no-such-folder/labels.csv: "), "{message}");
    assert!(message.ends_with("; check the path and its permissions"), "{message}");
    let folder = tempfile::tempdir().unwrap();
    let message = read_cases(folder.path(), &ReadOptions::default()).unwrap_err().to_string();
    assert!(message.contains("it is not a regular file; save the table as one first"), "{message}");
    assert_eq!(
        refused("labels.txt", "task,worker,label\n", |path| read_decisions(path, &ReadOptions::default())),
        "labels.txt: the name does not say the format; call it .csv, .tsv, .jsonl or .ndjson, or give the format"
    );
}

#[test]
fn bytes_that_are_not_text() {
    assert_eq!(
        decisions(b"task,worker,label\nt1,a,1\nt2,b\xffc,0\n"),
        "labels.csv, row 3, column `worker`: not UTF-8 after 1 bytes of the cell; save the file as UTF-8"
    );
    assert_eq!(
        decisions(b"task,w\xf8rker,label\n"),
        "labels.csv, row 1, column `number 2`: not UTF-8 after 1 bytes of the cell; save the file as UTF-8"
    );
    assert_eq!(
        json(b"{\"task\":1}\n{\"task\":\"\xff\"}\n"),
        "labels.jsonl, row 2: not UTF-8 after 9 bytes of the line; save the file as UTF-8"
    );
}

#[test]
fn columns_that_are_missing_ambiguous_unknown_or_doubled() {
    assert_eq!(
        decisions(",item,who,label\n1,1,1,1\n"),
        "labels.csv: no column for the role worker; it may be called `worker`, `annotator_id`, `annotator`, `expert`, \
         `performer`, present are (unnamed), `item`, `who`, `label`; name it with --column worker=NAME"
    );
    assert_eq!(
        decisions("task,item_id,worker,label\n1,1,1,1\n"),
        "labels.csv: both `task` and `item_id` could be the task; \
         choose with --column task=task or --column task=item_id"
    );
    let options = ReadOptions::default().column(Role::Worker, "who");
    assert_eq!(
        decisions_with("task,worker,label\n1,1,1\n", &options),
        "labels.csv, column `who`: there is no such column for the role worker; present are `task`, `worker`, `label`; \
         correct --column worker=NAME"
    );
    let options = ReadOptions::default().column(Role::Timestamp, "when");
    assert!(
        decisions_with("task,worker,label\n1,1,1\n", &options).starts_with("labels.csv, column `when`: there is no")
    );
    let options = ReadOptions::default().column(Role::Task, "a").column(Role::Task, "b");
    assert_eq!(
        decisions_with("a,b,worker,label\n1,1,1,1\n", &options),
        "the role task is given to both `a` and `b`; keep one --column task=NAME"
    );
    assert_eq!(
        decisions("task,worker,label, worker\n1,1,1,1\n"),
        "labels.csv, row 1, column `worker`: columns 2 and 4 have the same name; rename one of them"
    );
    assert_eq!(
        decisions_with("task,w1,w2\nt,0,1\n", &ReadOptions::default().wide("Expert *", [])),
        "labels.csv: no expert column matches the pattern `Expert *`; present are `task`, `w1`, `w2`; \
         correct --wide PATTERN"
    );
    assert_eq!(
        refused("both.csv", "text,w1\nt,0\n", |path| Records::from_wide(path, &ReadOptions::default())),
        "both.csv: which columns are experts is not known; say it with --wide PATTERN, such as --wide 'Expert *'"
    );
}

#[test]
fn files_without_content() {
    let empty = " is empty; a table has a header (CSV) or at least one object (JSONL)";
    assert_eq!(decisions(""), format!("labels.csv{empty}"));
    assert_eq!(decisions("\r\n\n"), format!("labels.csv{empty}"));
    assert_eq!(json(""), format!("labels.jsonl{empty}"));
    assert_eq!(json("\n \n"), format!("labels.jsonl{empty}"));
    let only_header = " has a header but no rows; add rows, or leave the file out";
    assert_eq!(decisions("task,worker,label\n"), format!("labels.csv{only_header}"));
    assert_eq!(cases("task,text"), format!("cases.csv{only_header}"));
}

#[test]
fn rows_of_another_length() {
    assert_eq!(
        decisions("task,worker,label\n1,1,1\n2,1\n"),
        "labels.csv, row 3: the row has 2 cells, the header 3; check its separators and quotes"
    );
    assert_eq!(
        decisions("task,worker,label\r\n1,1,1\r\n\r\n2,1,0,9\r\n"),
        "labels.csv, row 4: the row has 4 cells, the header 3; check its separators and quotes"
    );
    assert_eq!(
        cases("task,text\n1,\"two\nlines\"\n2,a,b\n"),
        "cases.csv, row 4: the row has 3 cells, the header 2; check its separators and quotes"
    );
}

#[test]
fn a_quote_that_is_never_closed() {
    let expected = "cases.csv, row 3: a quote is opened and never closed; close it, or double each quote inside a \
                    quoted cell";
    assert_eq!(cases("task,text\n1,a\n2,\"b\n3,c\n4,d\n"), expected);
    assert_eq!(cases("task,text\r\n1,a\r\n2,\"b\r\n3,c"), expected);
    // Quotes that the parser takes as they stand are no reason to refuse.
    for content in ["task,text\n1,\"a\nb\"", "task,text\n1,\"a \"\"b\"\"\n\"\n", "task,text\n1,a\n2,3\" disk\n"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cases.csv");
        std::fs::write(&path, content).unwrap();
        assert!(read_cases(&path, &ReadOptions::default()).is_ok(), "{content}");
    }
}

#[test]
fn lines_that_are_not_objects() {
    assert_eq!(
        json("{\"task\":1}\n\nnope\n"),
        "labels.jsonl, row 3: not JSON at character 2: expected ident; write one JSON object a line"
    );
    assert_eq!(
        json("[{\"task\":1}]\n"),
        "labels.jsonl, row 1: the line holds an array, not an object; write one JSON object a line"
    );
    assert_eq!(
        json("7\n"),
        "labels.jsonl, row 1: the line holds a number, not an object; write one JSON object a line"
    );
    let doubled = json("{\"task\":1,\"task\":2}\n");
    assert!(
        doubled.contains("row 1: not JSON at character") && doubled.contains("key `task` stands twice"),
        "{doubled}"
    );
    let unfinished = json("{\"task\":1");
    assert!(unfinished.contains("row 1: not JSON at character 9: EOF while parsing an object"), "{unfinished}");
    let two = json("{\"task\":1} {\"task\":2}");
    assert!(two.contains("trailing characters"), "{two}");
    assert!(json("{\"task\":NaN}").contains("not JSON at character 9: expected value"));
}

#[test]
fn features_that_are_not_finite_numbers() {
    assert_eq!(
        cases("task,age\n1,3\n2,old\n"),
        "cases.csv, row 3, column `age`: `old` is not a number; correct it, or leave the column out of the features"
    );
    for value in ["NaN", "inf", "-Infinity", "1e999"] {
        assert_eq!(
            cases(format!("task,age\n1,{value}\n")),
            format!(
                "cases.csv, row 2, column `age`: `{value}` is not a finite number; correct it, or leave the case or the \
                 column out"
            )
        );
    }
    assert_eq!(
        cases("task,age,x\n1,3,1\n2,,1\n"),
        "cases.csv, row 3, column `age`: the feature is missing; fill it in, or leave the case or the column out"
    );
    let list = ReadOptions::default().column(Role::List, "v");
    let of_list = |content: &str| refused("cases.csv", content, |path| read_cases(path, &list));
    assert_eq!(
        of_list("task,v\n1,1;2\n2,1;2;3\n"),
        "cases.csv, row 3, column `v`: the list has 3 entries, in the first row it has 2; make all lists equally long"
    );
    assert!(of_list("task,v\n1,1;x\n").contains("row 2, column `v`: `x` is not a number"));
    assert!(of_list("task,v\n1,1;nan\n").contains("row 2, column `v`: `NaN` is not a finite number"));
    assert!(of_list("task,v\n1,\n").contains("row 2, column `v`: the feature is missing"));
    let named = ReadOptions { features: FeatureColumns::Named(vec!["agee".into()]), ..ReadOptions::default() };
    assert_eq!(
        refused("cases.csv", "task,age\n1,3\n", |path| read_cases(path, &named)),
        "cases.csv, column `agee`: there is no such column for the role feature; present are `task`, `age`; \
         correct --column feature=NAME"
    );
}

#[test]
fn duplicates_name_both_rows() {
    let long = "task,worker,label\nt1,ann,1\n\nt1,bob,1\nt2,,1\nt1,ann,0\n";
    assert_eq!(decisions(long), "labels.csv, rows 2 and 6: worker `ann` labels task `t1` twice; keep one of them");
    assert!(decisions(long.replace('\n', "\r\n")).starts_with("labels.csv, rows 2 and 6: worker `ann`"));
    let wide = ReadOptions::default().wide("w*", ["-"]);
    assert_eq!(
        decisions_with("task,w1,w2\na,0,-\na,-,1\nb,1,1\na,-,0\n", &wide),
        "labels.csv, rows 3 and 5: worker `w2` labels task `a` twice; keep one of them"
    );
    assert_eq!(
        json("{\"task\":1,\"worker\":2,\"label\":0}\n\n{\"worker\":2,\"task\":1.0,\"label\":1}\n"),
        "labels.jsonl, rows 1 and 3: worker `2` labels task `1` twice; keep one of them"
    );
    assert_eq!(
        cases("task,x\na,0\nb,1\n a ,2\n"),
        "cases.csv, rows 2 and 4: two cases are called `a`; rename or remove one of them"
    );
}

#[test]
fn decisions_on_unknown_tasks() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let cases = file("cases.csv", "task\na\nb\n");
    let labels = file("labels.csv", "task,worker,label\na,w,1\nc,w,1\nc,v,1\nd,v,\n");
    let tables = || {
        let options = ReadOptions::default();
        (read_cases(&cases, &options).unwrap(), read_decisions(&labels, &options).unwrap())
    };
    let (known, decided) = tables();
    let message = join(known, decided, UnknownTask::Refuse).unwrap_err().to_string();
    assert_eq!(
        message.replace(&format!("{}/", folder.path().display()), ""),
        "labels.csv, row 3, column `label`: task `c` is not in cases.csv; add the case, or drop decisions on unknown tasks"
    );
    let (known, decided) = tables();
    let records = join(known, decided, UnknownTask::Drop).unwrap();
    assert_eq!((records.n(), records.decisions.len()), (2, 1));
    let report = records.report;
    assert_eq!((report.unknown_tasks, report.decisions_on_unknown_tasks, report.cases_without_decisions), (1, 2, 1));
    assert!(report.to_string().ends_with("2 decisions on 1 unknown tasks dropped\n1 cases without decisions"));

    let (known, _) = tables();
    let by_hand = Decisions::from_triples(1, 1, [(0, 0, 0)]).unwrap();
    let names = |name: &str| [name].iter().collect::<Names>();
    let by_hand = DecisionTable::new(by_hand, names("x"), names("w"), names("0")).unwrap();
    let message = join(known, by_hand, UnknownTask::Refuse).unwrap_err().to_string();
    assert!(message.starts_with("the decisions: task `x` is not in "), "{message}");
}

#[test]
fn more_labels_than_indices() {
    let row = |i: usize| format!("t{i},w,l{i}\n");
    let content = "task,worker,label\n".to_owned() + &(0..=1 << 16).map(row).collect::<String>();
    assert_eq!(
        decisions(&content),
        "labels.csv, row 65538: more than 65536 different labels; \
         check that the right column is used, or divide the table"
    );
    let gold = "task,label\nt0,another\n";
    let folder = tempfile::tempdir().unwrap();
    let (labels, cases) = (folder.path().join("labels.csv"), folder.path().join("cases.csv"));
    std::fs::write(&labels, content.rsplit_once("t65536").unwrap().0).unwrap();
    std::fs::write(&cases, gold).unwrap();
    let options = ReadOptions::default();
    let decided = read_decisions(&labels, &options).unwrap();
    assert_eq!(decided.labels.len(), 1 << 16);
    let message = join(read_cases(&cases, &options).unwrap(), decided, UnknownTask::Drop).unwrap_err().to_string();
    assert!(message.contains("more than 65536 different labels"), "{message}");
}

#[test]
fn routes_that_cannot_be_read() {
    let routes = |content: &str| refused("routes.csv", content, |path| read_routes(path, None));
    assert_eq!(
        routes("task,route\na,people\n"),
        "routes.csv, row 2, column `route`: `people` is not a route (`model`, `committee` or `ask`); correct the cell"
    );
    assert_eq!(
        routes("task,route,weights\na,model,1;x\n"),
        "routes.csv, row 2, column `weights`: `1;x` is not a list of finite numbers; correct the cell"
    );
    assert_eq!(
        routes("task,route,experts\na,model,[ann\n"),
        "routes.csv, row 2, column `experts`: `[ann` is not a list of names; correct the cell"
    );
    assert_eq!(
        routes("task,route\n,model\n"),
        "routes.csv, row 2, column `task`: `` is not the name of a case; correct the cell"
    );
}

#[test]
fn tables_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("routes.csv");
    let row = RouteRow { task: "t".into(), weights: vec![f64::NAN], ..RouteRow::default() };
    let message = write_routes(&path, [&row]).unwrap_err().to_string();
    assert!(message.ends_with("routes.csv: a number in column `weights` is not finite"), "{message}");
    assert!(!path.exists());

    let inputs = Inputs::new(1, Some(vec!["x".into()]), None).unwrap();
    let mut cases = CaseTable::new(Names::numbered("c", 1), inputs).unwrap();
    cases.groups.push(deferral_core::GroupAttribute::from_values("text", ["a"]));
    let message = cases.write(&path).unwrap_err().to_string();
    assert!(message.ends_with("two of the columns `task`, `text`, `text` have the same name; rename one"), "{message}");

    let nowhere = Path::new("no-such-folder/routes.csv");
    assert!(
        write_routes(nowhere, [&row]).unwrap_err().to_string().starts_with("cannot write no-such-folder/routes.csv")
    );
}

#[test]
fn tables_put_together_by_hand_are_checked() {
    let none = Decisions::none(1, 1);
    let names = |n| Names::numbered("n", n);
    let message = |error: TableError| error.to_string();
    assert_eq!(
        message(DecisionTable::new(none, names(1), names(2), names(0)).unwrap_err()),
        "worker names: 2 entries where 1 are needed; give all parts of a table the same length"
    );
    let one = Decisions::from_triples(1, 1, [(0, 0, 1)]).unwrap();
    assert_eq!(
        message(DecisionTable::new(one, names(1), names(1), names(1)).unwrap_err()),
        "label names: 1 entries where 2 are needed; give all parts of a table the same length"
    );
    let inputs = Inputs { text: Some(vec!["x".into()]), numeric: None };
    assert!(message(CaseTable::new(names(2), inputs).unwrap_err()).starts_with("inputs: 1 entries where 2"));
    assert!(message(Inputs::new(2, Some(vec![]), None).unwrap_err()).starts_with("texts: 0 entries where 2"));
}

#[test]
fn parts_that_are_none() {
    let expected = "is not a part (train, validation, valid, dev or test); correct the cell";
    assert_eq!(
        cases("task,split\na,train\nb,Testing\n"),
        format!("cases.csv, row 3, column `split`: `Testing` {expected}")
    );
    assert_eq!(cases("task,split\na,\n"), format!("cases.csv, row 2, column `split`: `` {expected}"));
}

#[test]
fn confidences_that_are_no_probability() {
    for value in ["85", "85 %", "sure", "-0.1", "NaN", "1.0001"] {
        assert_eq!(
            decisions(format!("task,worker,label,confidence\nt,a,1,0.5\nt,b,0,{value}\n")),
            format!(
                "labels.csv, row 3, column `confidence`: `{value}` is not a probability between 0 and 1, such as 0.85; correct the cell"
            )
        );
    }
}
