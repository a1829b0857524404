//! Specialised rater pools in the published layout: a few invented comments.

use std::path::{Path, PathBuf};

use deferral_core::{CaseId, ExpertId, Label};
use deferral_data::{MissingRating, RaterPools, TableError, read_rater_pools};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn read(missing: MissingRating) -> Result<RaterPools, TableError> {
    read_rater_pools(&fixture("specialized_rater_pools_data.csv"), &fixture("civil_comments.csv"), missing)
}

#[test]
fn identity_golds_and_pools() {
    let rated = read(MissingRating::NoVote).unwrap();
    let records = &rated.records;
    assert_eq!(records.ids.iter().collect::<Vec<_>>(), ["6000001", "6000002", "6000003", "6000006"]);
    let identity = &records.groups[0];
    let names: Vec<&str> = identity.of_case.iter().map(|group| identity.values.show(group.index())).collect();
    // The first mentions both; a field that is empty beside others that are not does not matter.
    assert_eq!(names, ["lgbtq", "black", "none", "lgbtq"]);
    assert_eq!(records.inputs.text.as_ref().unwrap()[2], "This bridge\nis \"badly\" built.");
    let one = Some(Label(1));
    assert_eq!(records.labels, [one, Some(Label(0)), Some(Label(0)), None]);
    // Two of three; one of two, a tie; two of two; nobody of the pool.
    assert_eq!(rated.subjective, [one, Some(Label(0)), one, None]);
    assert_eq!(records.experts.iter().collect::<Vec<_>>(), ["501", "502", "503", "601", "701", "602", "603", "702"]);
    assert_eq!(rated.pools, [0, 0, 0, 1, 2, 1, 1, 2]);
    // Of the two ratings by 501 the first one counts; 602 and 701 said nothing.
    let votes: Vec<(u32, u16)> = records.decisions.of_case(CaseId(1)).iter().map(|(e, l)| (e.0, l.0)).collect();
    assert_eq!(votes, [(0, 0), (3, 0), (6, 1)]);
}

#[test]
fn what_is_left_out_is_counted() {
    let rated = read(MissingRating::NoVote).unwrap();
    let report = &rated.report;
    assert_eq!((report.rounded_ids, report.missing_ratings, report.repeated_ratings), (1, 2, 1));
    assert_eq!((report.unknown_comments, report.without_identity, report.without_subjective), (1, 1, 1));
    assert_eq!((report.ratings.rows, report.ratings.decisions, report.ratings.experts), (17, 11, 8));
    assert_eq!((report.comments.rows, report.comments.kept, report.comments.cases_without_label), (6, 4, 1));
    let text = report.to_string();
    for line in ["17 rows read, 11 kept", "1 cases without label", "2 ratings without a value", "1 repeated ratings"] {
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn a_missing_rating_may_count_as_none() {
    let rated = read(MissingRating::Zero).unwrap();
    assert_eq!(rated.records.decisions.get(CaseId(1), ExpertId(5)), Some(Label(0)));
    assert_eq!(rated.records.decisions.len(), 13);
    assert_eq!(rated.report.missing_ratings, 2);
}

#[test]
fn mistakes_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (ratings, comments) = (folder.path().join("ratings.csv"), folder.path().join("comments.csv"));
    let message = |of_ratings: &str, of_comments: &str| {
        std::fs::write(&ratings, format!("id,unique_contributor_id,identity_attack,rater_group\n{of_ratings}"))
            .unwrap();
        let header = "id,comment_text,identity_attack,transgender,other_gender,homosexual_gay_or_lesbian,bisexual,\
                      other_sexual_orientation,black\n";
        std::fs::write(&comments, format!("{header}{of_comments}")).unwrap();
        let error = read_rater_pools(&ratings, &comments, MissingRating::NoVote).unwrap_err();
        error.to_string().replace(&format!("{}/", folder.path().display()), "")
    };
    let comment = "1,a,0,0,0,0,0,0,0\n";
    assert_eq!(
        message("1,7,yes,LGBTQ\n", comment),
        "ratings.csv, row 2, column `identity_attack`: `yes` is not a finite number, or empty; correct the cell"
    );
    assert_eq!(
        message("1,7,1,Gamers\n", comment),
        "ratings.csv, row 2, column `rater_group`: `Gamers` is not LGBTQ, African American, AA or Control; correct the cell"
    );
    assert_eq!(
        message("1,7,1,AA\n2,7,1,Control\n", comment),
        "ratings.csv, row 3, column `rater_group`: `Control` is not the pool that this rater has in the rows before; \
         correct the cell"
    );
    assert_eq!(
        message("1,,1,AA\n", comment),
        "ratings.csv, row 2, column `unique_contributor_id`: `` is not a name; correct the cell"
    );
    assert_eq!(
        message("1,7,1,AA\n", "1,a,1.5,0,0,0,0,0,0\n"),
        "comments.csv, row 2, column `identity_attack`: `1.5` is not a fraction between 0 and 1, or empty; correct the cell"
    );
    assert_eq!(
        message("1,7,1,AA\n", "1,a,0,0,0,0,0,0,0\n3,c,0,0,0,0,0,0,0\n1,b,0,0,0,0,0,0,0\n"),
        "comments.csv, rows 2 and 4: two cases are called `1`; rename or remove one of them"
    );
    std::fs::write(&ratings, "id,unique_contributor_id,rater_group\n1,7,AA\n").unwrap();
    let error = read_rater_pools(&ratings, &comments, MissingRating::NoVote).unwrap_err().to_string();
    assert!(error.contains("ratings.csv: no column `identity_attack`; present are `id`, `unique_contributor_id`"));
}

#[test]
fn any_table_with_the_columns_is_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.csv");
    std::fs::write(&empty, "").unwrap();
    let comments = fixture("civil_comments.csv");
    assert!(matches!(read_rater_pools(&empty, &comments, MissingRating::Zero), Err(TableError::Empty { .. })));
    // Swapped files.
    let swapped = read_rater_pools(&comments, &fixture("specialized_rater_pools_data.csv"), MissingRating::Zero);
    assert!(swapped.unwrap_err().to_string().contains("no column `unique_contributor_id`"));
}
