//! The embedded example: a moderation desk, generated, with texts, groups and the votes of biased people.

mod staff;
mod text;

use deferral_core::{
    Cases, Dataset, Decisions, Features, GroupAttribute, GroupId, Label, Names, ParameterError, Random, Stream,
};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::availability::thin_by_activity;
use crate::error::ExpertError;
use crate::expert::panel;

/// The label names from mild to severe.
const LABELS: [&str; 3] = ["ok", "borderline", "abusive"];
/// How often each occurs, without `borderline` and with it.
const LABEL_SHARES: [[f64; 3]; 2] = [[0.6, 0.0, 0.4], [0.45, 0.25, 0.3]];
/// The share of cases on which everybody is less sure.
const HARD_SHARE: f64 = 0.12;
/// Least and most votes on a case.
const VOTES: std::ops::RangeInclusive<usize> = 3..=8;

/// A moderation desk: posts in three dialects on three topics, and moderators who recorded decisions on some of them.
///
/// What it is made to show, at the default size:
/// - The text tells the label about four times in five. In the `harbour` dialect friends greet each other with mock
///   insults, so that a text model takes their harmless posts for abusive more often than others' (all names and
///   insults are made up).
/// - Two moderators in three share that bias; their skill differs; one in four is a specialist for a topic, and
///   expensive. Each post has 3 to 8 votes, whose majority is right about seven times in eight.
/// - Votes, weighted by who gave them, and text together are clearly better than either.
///
/// ```
/// use deferral_core::Stream;
/// use deferral_experts::Moderation;
/// let desk = Moderation::default().generate(&Stream::new(1))?;
/// assert_eq!((desk.text.len(), desk.experts.len()), (1200, 24));
/// assert_eq!(desk.label_names.iter().collect::<Vec<_>>(), ["ok", "abusive"]);
/// assert_eq!(desk.groups.iter().map(|g| g.name.as_str()).collect::<Vec<_>>(), ["dialect", "topic"]);
/// # Ok::<(), deferral_experts::ExpertError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Moderation {
    /// Number of posts, at least 1. Default: 1200.
    pub cases: usize,
    /// Number of moderators, at least 3. Default: 24; from 12 on every kind of moderator is there.
    pub experts: usize,
    /// Number of classes: 2 (ok, abusive) or 3 (ok, borderline, abusive). Default: 2.
    pub classes: usize,
}

impl Default for Moderation {
    fn default() -> Self {
        Self { cases: 1200, experts: 24, classes: 2 }
    }
}

/// Generated cases with their texts; features are left to the reader of the texts.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneratedCases {
    /// Names of the n cases.
    pub ids: Names,
    /// Their texts.
    pub text: Vec<String>,
    /// Their right labels.
    pub labels: Vec<Label>,
    /// Names of the K labels, from mild to severe.
    pub label_names: Names,
    /// The group attributes `dialect` and `topic`.
    pub groups: Vec<GroupAttribute>,
    /// Who decided what.
    pub decisions: Decisions,
    /// Names of the m experts.
    pub experts: Names,
    /// The price of one label of each expert, m positive numbers.
    pub costs: Vec<f64>,
}

impl Moderation {
    /// Draws posts, moderators and votes. Post i and moderator j depend on the stream and on i or j only.
    ///
    /// # Errors
    /// If a number is outside its range.
    pub fn generate(&self, stream: &Stream) -> Result<GeneratedCases, ExpertError> {
        self.check()?;
        let posts = self.draw_posts(stream);
        let roster = staff::hire(self.experts, self.classes, &stream.child("staff"))?;
        let ids = Names::numbered("post-", self.cases);
        let labels: Vec<Label> = posts.iter().map(|post| post.label).collect();
        let cases = Cases::new(ids.clone(), Features::none(self.cases))?
            .with_labels(labels.iter().copied().map(Some).collect())?
            .with_group(situations(&posts))?;
        let everything = panel(&roster.experts, &cases, None, stream)?;
        let decisions = thin_by_activity(&everything, &self.draw_vote_counts(stream), &roster.activity, stream)?;
        Ok(GeneratedCases {
            ids,
            labels,
            label_names: self.label_names(),
            groups: vec![
                attribute("dialect", text::dialects(), posts.iter().map(|post| post.situation.dialect)),
                attribute("topic", text::topics(), posts.iter().map(|post| post.situation.topic)),
            ],
            text: posts.into_iter().map(|post| post.text).collect(),
            decisions,
            experts: Names::numbered("moderator-", self.experts),
            costs: roster.costs,
        })
    }

    fn check(&self) -> Result<(), ParameterError> {
        ParameterError::check(self.cases > 0, "the number of cases", self.cases, "at least 1")?;
        let least = *VOTES.start();
        let expected = format!("at least {least}, the votes of a case");
        ParameterError::check(self.experts >= least, "the number of experts", self.experts, &expected)?;
        ParameterError::check(matches!(self.classes, 2 | 3), "the number of classes", self.classes, "2 or 3")
    }

    fn draw_posts(&self, stream: &Stream) -> Vec<Post> {
        let stream = stream.child("posts");
        let severities = severities(self.classes);
        (0..self.cases)
            .map(|at| {
                let mut rng = stream.at(at);
                let label = draw_share(severities.iter().map(|&s| LABEL_SHARES[self.classes - 2][s]), &mut rng);
                let situation = Situation {
                    dialect: draw_share(text::dialect_shares(), &mut rng),
                    topic: rng.random_range(0..text::topics().len()),
                    hard: rng.random::<f64>() < HARD_SHARE,
                };
                let text = text::write(severities[label], situation.dialect, situation.topic, &mut rng);
                Post { label: Label::at(label), situation, text }
            })
            .collect()
    }

    fn draw_vote_counts(&self, stream: &Stream) -> Vec<usize> {
        let stream = stream.child("votes");
        (0..self.cases).map(|at| stream.at(at).random_range(VOTES)).collect()
    }

    fn label_names(&self) -> Names {
        severities(self.classes).iter().map(|&severity| LABELS[severity]).collect()
    }
}

impl GeneratedCases {
    /// The data set with the features that were made of the texts.
    ///
    /// # Errors
    /// If the features are not for as many cases.
    pub fn dataset(&self, features: Features) -> Result<Dataset, ExpertError> {
        let labels = self.labels.iter().copied().map(Some).collect();
        let mut cases = Cases::new(self.ids.clone(), features)?.with_labels(labels)?;
        for attribute in &self.groups {
            cases = cases.with_group(attribute.clone())?;
        }
        Ok(Dataset::new(cases, self.decisions.clone(), self.label_names.clone(), self.experts.clone())?)
    }
}

/// A post with what only its generator knows.
struct Post {
    label: Label,
    situation: Situation,
    text: String,
}

/// What a moderator's skill depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Situation {
    dialect: usize,
    topic: usize,
    hard: bool,
}

impl Situation {
    /// All of them; situation i stands at position i.
    fn all() -> impl Iterator<Item = Self> {
        let topics = || 0..text::topics().len();
        (0..text::dialects().len())
            .flat_map(move |dialect| topics().map(move |topic| (dialect, topic)))
            .flat_map(|(dialect, topic)| [false, true].map(|hard| Self { dialect, topic, hard }))
    }

    fn index(self) -> usize {
        (self.dialect * text::topics().len() + self.topic) * 2 + usize::from(self.hard)
    }

    /// The group attribute of situations, for no case yet.
    fn attribute() -> GroupAttribute {
        let values = Names::numbered("situation ", Self::all().count());
        GroupAttribute { name: "situation".to_owned(), values, of_case: Vec::new() }
    }
}

fn situations(posts: &[Post]) -> GroupAttribute {
    let of_case = posts.iter().map(|post| GroupId::at(post.situation.index())).collect();
    GroupAttribute { of_case, ..Situation::attribute() }
}

fn attribute(name: &str, values: Names, of_case: impl Iterator<Item = usize>) -> GroupAttribute {
    GroupAttribute { name: name.to_owned(), values, of_case: of_case.map(GroupId::at).collect() }
}

/// The severity, 0 to 2, of each of the `classes` labels.
fn severities(classes: usize) -> &'static [usize] {
    if classes == 2 { &[0, 2] } else { &[0, 1, 2] }
}

/// A position, drawn in proportion to shares that sum to one.
fn draw_share(shares: impl Iterator<Item = f64>, rng: &mut Random) -> usize {
    let point = rng.random::<f64>();
    let mut sum = 0.0;
    let mut last = 0;
    for (at, share) in shares.enumerate().filter(|(_, share)| *share > 0.0) {
        sum += share;
        last = at;
        if point < sum {
            break;
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn situations_stand_at_their_index() {
        for (at, situation) in Situation::all().enumerate() {
            assert_eq!(situation.index(), at);
        }
        assert_eq!(Situation::all().count(), 18);
    }

    #[test]
    fn parameters_are_checked() {
        let message = |desk: Moderation| desk.generate(&Stream::new(1)).unwrap_err().to_string();
        let desk = Moderation::default();
        assert_eq!(message(Moderation { cases: 0, ..desk }), "the number of cases is 0, but must be at least 1");
        assert_eq!(
            message(Moderation { experts: 2, ..desk }),
            "the number of experts is 2, but must be at least 3, the votes of a case"
        );
        assert_eq!(message(Moderation { classes: 4, ..desk }), "the number of classes is 4, but must be 2 or 3");
    }
}
