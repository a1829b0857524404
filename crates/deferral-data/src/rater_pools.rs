//! Comments rated by specialised pools of raters, in the layout in which they are published.

use std::fmt;
use std::path::Path;

use deferral_core::{CaseId, DecisionsBuilder, ExpertId, GroupAttribute, GroupId, Label, Names};

use crate::table::{JoinReport, ReadReport, Roster, Source};
use crate::{Inputs, Place, Records, TableError};

/// The group attribute: whom a comment mentions.
const IDENTITY: &str = "identity";
/// Its values; the pool at the same place is the one that a comment on it is about.
const IDENTITIES: [&str; 3] = ["lgbtq", "black", "none"];
const POOLS: [&str; 3] = ["LGBTQ", "African American", "Control"];
const LABELS: [&str; 2] = ["none", "attack"];
/// The columns of the comments that make up the identity `lgbtq`.
const LGBTQ: [&str; 5] =
    ["transgender", "other_gender", "homosexual_gay_or_lesbian", "bisexual", "other_sexual_orientation"];
/// The fraction of the original raters from which on a comment is an attack.
const ATTACK: f64 = 0.5;

/// What a rating that is missing means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissingRating {
    /// Nothing: the rater did not vote.
    #[default]
    NoVote,
    /// No attack, as in the released code.
    Zero,
}

/// Comments with the ratings of three pools, and two golds.
#[derive(Debug, Clone, PartialEq)]
pub struct RaterPools {
    /// The comments that were kept: text, the group attribute `identity` (lgbtq, black, none), the label of the original
    /// raters (none, attack: the objective gold) and the ratings.
    pub records: Records,
    /// What more than half of the raters of the targeted pool say: the pool of the identity, Control where none is
    /// mentioned. `None` if nobody of that pool voted.
    pub subjective: Vec<Option<Label>>,
    /// The names of the pools, in the order of the identities.
    pub pool_names: Names,
    /// The pool of each of the m raters.
    pub pools: Vec<usize>,
    /// What was left out, and why.
    pub report: RaterPoolsReport,
}

/// What reading came to. Rows of the table of comments that nobody rated are no concern of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RaterPoolsReport {
    /// The table of ratings: rows, votes that were kept, raters.
    pub ratings: ReadReport,
    /// The table of comments: all rows, and those that were kept.
    pub comments: ReadReport,
    /// Rows of ratings whose comment id a spreadsheet has rounded, such as `1.05408E+18`: it names no one comment.
    pub rounded_ids: usize,
    /// Ratings without a value. They are no votes unless they count as 0.
    pub missing_ratings: usize,
    /// Ratings of a comment by somebody who had rated it already; the first one stands.
    pub repeated_ratings: usize,
    /// Rated comments that the table of comments does not have.
    pub unknown_comments: usize,
    /// Rated comments of which it is not known whom they mention.
    pub without_identity: usize,
    /// Kept comments without a vote of the targeted pool.
    pub without_subjective: usize,
}

impl fmt::Display for RaterPoolsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.ratings, self.comments)?;
        for (count, what) in [
            (self.rounded_ids, "ratings of a comment whose id is rounded, dropped"),
            (self.missing_ratings, "ratings without a value"),
            (self.repeated_ratings, "repeated ratings, dropped"),
            (self.unknown_comments, "rated comments that the table of comments lacks, dropped"),
            (self.without_identity, "comments of which it is not known whom they mention, dropped"),
            (self.without_subjective, "comments without a vote of the targeted pool"),
        ] {
            if count > 0 {
                write!(f, "\n{count} {what}")?;
            }
        }
        Ok(())
    }
}

/// Reads the ratings of Goyal, Kivlichan, Rosen and Vasserman (2022) and the Civil Comments that they are of (Borkan et
/// al. 2019), by the rules of Keswani, Celis, Kenthapadi and Lease (2022, section 4).
///
/// - `ratings` (`specialized_rater_pools_data.csv`) has the columns `id`, `unique_contributor_id`, `identity_attack`
///   (-1 attack, 0 unsure, 1 none; empty or `nan`: missing) and `rater_group` (`LGBTQ`, `African American` or `AA`,
///   `Control`). A rating below 0 is a vote for an attack.
/// - `comments` (`train.csv`) has `id`, `comment_text`, `identity_attack` (the fraction of the original raters who saw an
///   attack; one half is enough), and the fractions who saw a mention: `transgender`, `other_gender`,
///   `homosexual_gay_or_lesbian`, `bisexual`, `other_sexual_orientation`, `black`. A comment is on `lgbtq` if the largest
///   of the first five is above 0, else on `black` if that is, else on `none`; where all of the five are empty, or
///   `black` is, it is dropped. Without `identity_attack` it has no label.
///
/// Other columns are passed over. Comments come in the order in which they were rated first. The table of comments is
/// streamed; in memory are the texts that are kept, and about 60 bytes a rating.
///
/// # Errors
/// [`TableError`] names file, row and column: of a cell that is none of the above, of a rater in two pools, and of a
/// comment that stands in the table twice.
///
/// ```
/// use deferral_data::{MissingRating, read_rater_pools};
/// let folder = tempfile::tempdir()?;
/// let (ratings, comments) = (folder.path().join("ratings.csv"), folder.path().join("train.csv"));
/// std::fs::write(&ratings, "id,unique_contributor_id,identity_attack,rater_group\n7,1,-1.0,LGBTQ\n7,2,1.0,AA\n")?;
/// std::fs::write(&comments, "id,comment_text,identity_attack,transgender,other_gender,homosexual_gay_or_lesbian,\
///     bisexual,other_sexual_orientation,black\n7,hello,0.2,0,0,0.9,0,0,0\n")?;
/// let rated = read_rater_pools(&ratings, &comments, MissingRating::NoVote)?;
/// assert_eq!((rated.records.n(), rated.records.experts.len(), &rated.pools[..]), (1, 2, &[0, 1][..]));
/// // Few of the original raters saw an attack, the only one of the targeted pool did.
/// assert_eq!((rated.records.labels[0].unwrap().0, rated.subjective[0].unwrap().0), (0, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_rater_pools(ratings: &Path, comments: &Path, missing: MissingRating) -> Result<RaterPools, TableError> {
    let mut report = RaterPoolsReport::default();
    let rated = Ratings::read(ratings, missing, &mut report)?;
    let found = read_comments(comments, rated.comments.names(), &mut report)?;
    let kept: Vec<(usize, Comment)> =
        found.into_iter().enumerate().filter_map(|(at, comment)| Some((at, comment?))).collect();
    join(rated, kept, report)
}

/// The table of ratings.
struct Ratings {
    comments: Roster,
    raters: Roster,
    /// The pool of each rater.
    pools: Vec<usize>,
    /// Comment, rater, whether it is an attack; sorted, nobody rates a comment twice.
    votes: Vec<(CaseId, ExpertId, bool)>,
}

impl Ratings {
    fn read(path: &Path, missing: MissingRating, report: &mut RaterPoolsReport) -> Result<Self, TableError> {
        let mut source = Source::open(path, None)?;
        let [id, rater, rating, pool] =
            ["id", "unique_contributor_id", "identity_attack", "rater_group"].map(|name| column(&source, name));
        let (id, rater, rating, pool) = (id?, rater?, rating?, pool?);
        let (comments, raters) = (Roster::new("comments", Names::new()), Roster::new("raters", Names::new()));
        let mut read = Self { comments, raters, pools: Vec::new(), votes: Vec::new() };
        while source.advance()? {
            let comment = needed(&source, id)?;
            if is_rounded(comment) {
                report.rounded_ids += 1;
                continue;
            }
            let comment = CaseId::at(read.comments.intern(comment, &source)?);
            let rater = read.rater(&source, rater, pool)?;
            match (number(&source, rating)?, missing) {
                (Some(rating), _) => read.votes.push((comment, rater, rating < 0.0)),
                (None, missing) => {
                    report.missing_ratings += 1;
                    if missing == MissingRating::Zero {
                        read.votes.push((comment, rater, false));
                    }
                }
            }
        }
        // A stable sort: of repeated ratings the first one stays.
        read.votes.sort_by_key(|&(comment, rater, _)| (comment, rater));
        let before = read.votes.len();
        read.votes.dedup_by_key(|&mut (comment, rater, _)| (comment, rater));
        report.repeated_ratings = before - read.votes.len();
        report.ratings =
            ReadReport { file: path.display().to_string(), rows: source.rows_read(), ..report.ratings.clone() };
        Ok(read)
    }

    /// The rater of the current row, whose pool must be the one of the rows before.
    fn rater(&mut self, source: &Source, rater: usize, column: usize) -> Result<ExpertId, TableError> {
        let pool = pool(source, column)?;
        let rater = self.raters.intern(needed(source, rater)?, source)?;
        match self.pools.get(rater) {
            None => self.pools.push(pool),
            Some(&before) if before != pool => {
                return Err(bad(source, column, "the pool that this rater has in the rows before"));
            }
            Some(_) => {}
        }
        Ok(ExpertId::at(rater))
    }
}

/// A comment whose identity is known.
struct Comment {
    text: String,
    label: Option<Label>,
    identity: usize,
}

/// The columns of the table of comments.
struct Layout {
    id: usize,
    text: usize,
    attack: usize,
    lgbtq: [usize; 5],
    black: usize,
}

impl Layout {
    fn of(source: &Source) -> Result<Self, TableError> {
        let mut lgbtq = [0; 5];
        for (at, name) in lgbtq.iter_mut().zip(LGBTQ) {
            *at = column(source, name)?;
        }
        Ok(Self {
            id: column(source, "id")?,
            text: column(source, "comment_text")?,
            attack: column(source, "identity_attack")?,
            lgbtq,
            black: column(source, "black")?,
        })
    }

    /// The comment of the current row, if it is known whom it mentions.
    fn comment(&self, source: &Source) -> Result<Option<Comment>, TableError> {
        let mut lgbtq: Option<f64> = None;
        for &column in &self.lgbtq {
            if let Some(fraction) = fraction(source, column)? {
                lgbtq = Some(lgbtq.map_or(fraction, |largest| largest.max(fraction)));
            }
        }
        let (Some(lgbtq), Some(black)) = (lgbtq, fraction(source, self.black)?) else { return Ok(None) };
        let mentioned = [lgbtq > 0.0, black > 0.0, true];
        let identity = mentioned.iter().position(|mentioned| *mentioned).unwrap_or(IDENTITIES.len() - 1);
        let attack = fraction(source, self.attack)?;
        let label = attack.map(|fraction| Label(u16::from(fraction >= ATTACK)));
        Ok(Some(Comment { text: source.raw(self.text).unwrap_or_default().to_owned(), label, identity }))
    }
}

/// The comments called `wanted`, in that order; `None` for one that is not there or of which it is not known whom it
/// mentions.
fn read_comments(
    path: &Path,
    wanted: &Names,
    report: &mut RaterPoolsReport,
) -> Result<Vec<Option<Comment>>, TableError> {
    let mut source = Source::open(path, None)?;
    let layout = Layout::of(&source)?;
    let mut found: Vec<Option<Comment>> = (0..wanted.len()).map(|_| None).collect();
    let mut seen = vec![false; wanted.len()];
    while source.advance()? {
        let id = needed(&source, layout.id)?;
        let Some(at) = wanted.position(id) else { continue };
        if std::mem::replace(&mut seen[at], true) {
            let place = Place { row: first_line(&source, layout.id, id)?, ..source.row_place() };
            let second = Some(source.line());
            return Err(TableError::DuplicateCase { place: place.into(), second, task: id.to_owned() });
        }
        found[at] = layout.comment(&source)?;
        report.without_identity += usize::from(found[at].is_none());
    }
    report.unknown_comments = seen.iter().filter(|seen| !**seen).count();
    report.comments.file = path.display().to_string();
    report.comments.rows = source.rows_read();
    Ok(found)
}

/// The line of the first row with this id: the file is read once more, for a message.
fn first_line(source: &Source, column: usize, id: &str) -> Result<Option<u64>, TableError> {
    let mut again = source.again()?;
    while again.advance()? {
        if cell(&again, column) == id {
            return Ok(Some(again.line()));
        }
    }
    Ok(None)
}

/// Ratings and the comments that are kept, each with its place in the ratings.
fn join(rated: Ratings, kept: Vec<(usize, Comment)>, mut report: RaterPoolsReport) -> Result<RaterPools, TableError> {
    let mut place = vec![None; rated.comments.len()];
    for (new, (old, _)) in kept.iter().enumerate() {
        place[*old] = Some(new);
    }
    let mut ratings = DecisionsBuilder::new();
    // Votes of the targeted pool, and those for an attack among them.
    let mut targeted = vec![(0, 0); kept.len()];
    for &(comment, rater, attack) in &rated.votes {
        let Some(case) = place[comment.index()] else { continue };
        ratings.push(CaseId::at(case), rater, Label(u16::from(attack)));
        if rated.pools[rater.index()] == kept[case].1.identity {
            targeted[case].0 += 1;
            targeted[case].1 += usize::from(attack);
        }
    }
    let decisions = ratings.build(kept.len(), rated.pools.len())?;
    let gold = |&(votes, attacks): &(usize, usize)| (votes > 0).then(|| Label(u16::from(2 * attacks > votes)));
    let subjective: Vec<Option<Label>> = targeted.iter().map(gold).collect();
    report.without_subjective = subjective.iter().filter(|gold| gold.is_none()).count();
    report.ratings.kept = decisions.len();
    report.ratings.decisions = decisions.len();
    report.ratings.experts = decisions.experts();
    report.comments.kept = kept.len();
    report.comments.cases_without_label = kept.iter().filter(|(_, comment)| comment.label.is_none()).count();
    report.comments.cases_without_text = kept.iter().filter(|(_, comment)| comment.text.trim().is_empty()).count();
    let identity = GroupAttribute {
        name: IDENTITY.to_owned(),
        values: IDENTITIES.iter().collect(),
        of_case: kept.iter().map(|(_, comment)| GroupId::at(comment.identity)).collect(),
    };
    let ids = kept.iter().map(|(at, _)| rated.comments.names().show(*at)).collect();
    let labels = kept.iter().map(|(_, comment)| comment.label).collect();
    let n = kept.len();
    let text = kept.into_iter().map(|(_, comment)| comment.text).collect();
    let records = Records {
        ids,
        inputs: Inputs::new(n, Some(text), None)?,
        labels,
        label_names: LABELS.iter().collect(),
        groups: vec![identity],
        decisions,
        experts: rated.raters.into_names(),
        prices: None,
        parts: None,
        unseen: None,
        report: JoinReport {
            cases: report.comments.clone(),
            decisions: report.ratings.clone(),
            unknown_tasks: report.unknown_comments + report.without_identity,
            ..JoinReport::default()
        },
    };
    Ok(RaterPools { records, subjective, pool_names: POOLS.iter().collect(), pools: rated.pools, report })
}

fn column(source: &Source, name: &'static str) -> Result<usize, TableError> {
    source.columns().iter().position(|column| column == name).ok_or_else(|| TableError::NoNumbers {
        place: Place { file: source.path().to_owned(), row: None, column: None }.into(),
        column: name,
        present: source.present(),
    })
}

fn cell(source: &Source, column: usize) -> &str {
    source.raw(column).unwrap_or_default().trim()
}

/// A cell that may not be empty.
fn needed(source: &Source, column: usize) -> Result<&str, TableError> {
    match cell(source, column) {
        "" => Err(bad(source, column, "a name")),
        cell => Ok(cell),
    }
}

/// A finite number, or nothing.
fn number(source: &Source, column: usize) -> Result<Option<f64>, TableError> {
    match cell(source, column) {
        cell if cell.is_empty() || cell.eq_ignore_ascii_case("nan") => Ok(None),
        cell => match cell.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Some(number)),
            _ => Err(bad(source, column, "a finite number, or empty")),
        },
    }
}

/// A number from 0 to 1, or nothing.
fn fraction(source: &Source, column: usize) -> Result<Option<f64>, TableError> {
    match number(source, column)? {
        Some(number) if !(0.0..=1.0).contains(&number) => {
            Err(bad(source, column, "a fraction between 0 and 1, or empty"))
        }
        number => Ok(number),
    }
}

fn pool(source: &Source, column: usize) -> Result<usize, TableError> {
    match cell(source, column) {
        "AA" => Ok(1),
        cell => POOLS
            .iter()
            .position(|pool| *pool == cell)
            .ok_or_else(|| bad(source, column, "LGBTQ, African American, AA or Control")),
    }
}

fn bad(source: &Source, column: usize, expected: &'static str) -> TableError {
    let value = cell(source, column).to_owned();
    TableError::BadCell { place: source.place(column).into(), value, expected }
}

/// Whether a spreadsheet has written this number with fewer digits than it has.
fn is_rounded(id: &str) -> bool {
    id.contains(['E', 'e']) && id.parse::<f64>().is_ok()
}
