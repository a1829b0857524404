//! Comments rated by three pools of people, who see different attacks: a stand-in for data that cannot be passed on.

use deferral_core::{
    CaseId, Cases, Columns, Dataset, DecisionsBuilder, ExpertId, Features, GroupAttribute, GroupId, Label, Names,
    ParameterError, Random, Stream,
};
use rand::RngExt;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use crate::error::{ExpertError, check_probability};

/// The group attribute: whom a comment mentions.
const IDENTITY: &str = "identity";
/// Its values; the pool at the same place is the one whose own comment it is.
const IDENTITIES: [&str; 3] = ["lgbtq", "black", "none"];
const POOLS: [&str; 3] = ["LGBTQ", "African American", "Control"];
/// Published comments that mention each identity, of those that are kept.
const MENTIONS: [f64; 3] = [7_036.0, 6_341.0, 8_823.0];
/// The probability that the targeted pool sees an attack, by the original label.
const TARGETED_SEE: [f64; 2] = [0.067, 0.6];
/// The same of the other pools, where they do not simply see what the targeted pool sees.
const OTHERS_SEE: [f64; 2] = [0.115, 0.44];
/// The share of comments that all pools see alike.
const ALIKE: f64 = 0.36;
/// The probability that a rater of mean care calls it an attack, by whether their pool sees one.
const CALLS: [f64; 2] = [0.1, 0.55];
/// How much raters differ in that, at most.
const CALLS_RANGE: [f64; 2] = [0.05, 0.15];
/// How far the comments on one identity lie from the others, in standard deviations.
const GROUP_TRACE: f64 = 3.0;
/// How far attacks lie from the others: hardly.
const LABEL_TRACE: f64 = 0.3;
/// Features that say something: one for each identity, one for the label.
const TELLING: usize = 4;

/// A stand-in for the toxicity data of Goyal, Kivlichan, Rosen and Vasserman (2022) as Keswani, Celis, Kenthapadi and
/// Lease (2022, section 4) use them.
///
/// Published: the share of comments that mention each identity, the number of raters of each pool, 5 raters of each pool
/// a comment, 12 % attacks. **Chosen, not estimated from any data**: whether the pool that a comment is about (Control
/// where it is about nobody) and the other pools see an attack in it, and how often a rater then says so. The rates are
/// such that a rater drawn at random has a balanced accuracy of about .60 against the original label and .66 against the
/// majority of the targeted pool, the levels of the published table; a rater of the targeted pool has .62 and .79.
///
/// Features: one for each identity that tells it, one with a faint trace of the label, noise. Labels of the data are
/// the original ones (objective gold). O(comments x (features + raters)).
///
/// ```
/// use deferral_core::{Label, Stream};
/// use deferral_experts::RaterPools;
/// let rated = RaterPools { comments: 200, ..RaterPools::default() }.generate(&Stream::new(1))?;
/// assert_eq!((rated.data.n(), rated.data.m(), rated.data.decisions().len()), (200, 953, 3000));
/// assert_eq!(rated.pool_names.iter().collect::<Vec<_>>(), ["LGBTQ", "African American", "Control"]);
/// assert_eq!(rated.subjective.len(), 200);
/// # Ok::<(), deferral_experts::ExpertError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RaterPools {
    /// Comments, at least 1. Published and default: 25,500.
    pub comments: usize,
    /// Raters of the pools LGBTQ, African American and Control. Published and default: 318, 313, 322.
    pub raters: [usize; 3],
    /// Raters of each pool who rate a comment, an odd number, at most as many as a pool has. Published and default: 5.
    pub per_pool: usize,
    /// The share of comments that are attacks by the original label. Published and default: .12.
    pub attacks: f64,
    /// Features, at least 4. Published and default: 25.
    pub features: usize,
}

impl Default for RaterPools {
    fn default() -> Self {
        Self { comments: 25_500, raters: [318, 313, 322], per_pool: 5, attacks: 0.12, features: 25 }
    }
}

/// Rated comments, with both golds.
#[derive(Debug, Clone, PartialEq)]
pub struct RatedComments {
    /// Comments with features, the group attribute `identity` (lgbtq, black, none), the original label (none, attack) and
    /// the ratings.
    pub data: Dataset,
    /// The names of the pools, in the order of the identities.
    pub pool_names: Names,
    /// The pool of each of the m raters.
    pub pools: Vec<usize>,
    /// What most raters of the targeted pool say of each comment.
    pub subjective: Vec<Label>,
}

impl RaterPools {
    /// The group attribute of the data.
    pub const ATTRIBUTE: &'static str = IDENTITY;

    /// Draws comments, raters and ratings. Comment i depends on the stream, on i and on the numbers of this type but for
    /// the number of comments.
    ///
    /// # Errors
    /// If a number is outside its range.
    pub fn generate(&self, stream: &Stream) -> Result<RatedComments, ExpertError> {
        self.check()?;
        let pools = self.pools();
        let calls = rates(pools.len(), &stream.child("raters"));
        let stream = stream.child("comments");
        let mut drawn = Drawn::default();
        for comment in 0..self.comments {
            self.draw(comment, &calls, &mut stream.at(comment), &mut drawn);
        }
        let features = Features::dense(Columns::from_values(self.features, drawn.features))?;
        let identity = GroupAttribute {
            name: IDENTITY.to_owned(),
            values: IDENTITIES.iter().collect(),
            of_case: drawn.identities,
        };
        let cases = Cases::new(Names::numbered("comment", self.comments), features)?;
        let cases = cases.with_labels(drawn.labels)?.with_group(identity)?;
        let decisions = drawn.ratings.build(self.comments, pools.len())?;
        let labels = ["none", "attack"].iter().collect();
        let data = Dataset::new(cases, decisions, labels, Names::numbered("rater", pools.len()))?;
        Ok(RatedComments { data, pool_names: POOLS.iter().collect(), pools, subjective: drawn.subjective })
    }

    fn check(&self) -> Result<(), ParameterError> {
        ParameterError::check(self.comments > 0, "the number of comments", self.comments, "at least 1")?;
        let odd = self.per_pool % 2 == 1;
        ParameterError::check(odd, "the number of raters per pool and comment", self.per_pool, "odd")?;
        for (&raters, pool) in self.raters.iter().zip(POOLS) {
            let expected = format!("at least {}, the raters of a comment", self.per_pool);
            ParameterError::check(raters >= self.per_pool, &format!("the pool {pool}"), raters, &expected)?;
        }
        check_probability("the share of attacks", self.attacks)?;
        let least = "at least 4, one for each identity and one for the label";
        ParameterError::check(self.features >= TELLING, "the number of features", self.features, least)
    }

    /// The pool of each rater: one pool after the other.
    fn pools(&self) -> Vec<usize> {
        self.raters.iter().enumerate().flat_map(|(pool, &raters)| std::iter::repeat_n(pool, raters)).collect()
    }

    fn draw(&self, comment: usize, calls: &[[f64; 2]], rng: &mut Random, drawn: &mut Drawn) {
        let identity = draw_identity(rng);
        let attack = rng.random::<f64>() < self.attacks;
        drawn.identities.push(GroupId::at(identity));
        drawn.labels.push(Some(Label(u16::from(attack))));
        self.draw_features(identity, attack, rng, &mut drawn.features);
        let sees = draw_sight(attack, rng);
        let mut targeted = 0;
        let mut first = 0;
        for (pool, &raters) in self.raters.iter().enumerate() {
            let seen = sees[usize::from(pool != identity)];
            for rater in distinct(raters, self.per_pool, rng).map(|rater| first + rater) {
                let says = rng.random::<f64>() < calls[rater][usize::from(seen)];
                targeted += usize::from(says && pool == identity);
                drawn.ratings.push(CaseId::at(comment), ExpertId::at(rater), Label(u16::from(says)));
            }
            first += raters;
        }
        drawn.subjective.push(Label(u16::from(2 * targeted > self.per_pool)));
    }

    fn draw_features(&self, identity: usize, attack: bool, rng: &mut Random, features: &mut Vec<f64>) {
        for feature in 0..self.features {
            let mean = match feature {
                _ if feature == identity => GROUP_TRACE,
                3 if attack => LABEL_TRACE,
                _ => 0.0,
            };
            features.push(mean + rng.sample::<f64, _>(StandardNormal));
        }
    }
}

/// What was drawn of the comments so far.
#[derive(Default)]
struct Drawn {
    features: Vec<f64>,
    identities: Vec<GroupId>,
    labels: Vec<Option<Label>>,
    subjective: Vec<Label>,
    ratings: DecisionsBuilder,
}

/// For each rater the probability of calling a comment an attack, by whether their pool sees one in it.
fn rates(raters: usize, stream: &Stream) -> Vec<[f64; 2]> {
    let rate = |rater: usize| {
        let mut rng = stream.at(rater);
        [0, 1].map(|seen| CALLS[seen] + CALLS_RANGE[seen] * (2.0 * rng.random::<f64>() - 1.0))
    };
    (0..raters).map(rate).collect()
}

fn draw_identity(rng: &mut Random) -> usize {
    let mut point = rng.random::<f64>() * MENTIONS.iter().sum::<f64>();
    MENTIONS
        .iter()
        .position(|share| {
            point -= share;
            point < 0.0
        })
        .unwrap_or(MENTIONS.len() - 1)
}

/// Whether the targeted pool and whether the others see an attack.
fn draw_sight(attack: bool, rng: &mut Random) -> [bool; 2] {
    let targeted = rng.random::<f64>() < TARGETED_SEE[usize::from(attack)];
    let alike = rng.random::<f64>() < ALIKE;
    let others = rng.random::<f64>() < OTHERS_SEE[usize::from(attack)];
    [targeted, if alike { targeted } else { others }]
}

/// `k` different numbers below `n` (Floyd 1987).
fn distinct(n: usize, k: usize, rng: &mut Random) -> impl Iterator<Item = usize> + use<> {
    let mut chosen: Vec<usize> = Vec::with_capacity(k);
    for last in n - k..n {
        let drawn = rng.random_range(0..=last);
        chosen.push(if chosen.contains(&drawn) { last } else { drawn });
    }
    chosen.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generate(comments: usize, seed: u64) -> RatedComments {
        RaterPools { comments, ..RaterPools::default() }.generate(&Stream::new(seed)).unwrap()
    }

    /// (TPR + TNR) / 2 of single ratings against a gold.
    fn balanced_accuracy(
        rated: &RatedComments,
        gold: impl Fn(usize) -> Label,
        of: impl Fn(usize, usize) -> bool,
    ) -> f64 {
        let mut said = [[0.0; 2]; 2];
        for (case, vote) in rated.data.decisions().iter() {
            if of(case.index(), rated.pools[vote.expert.index()]) {
                said[gold(case.index()).index()][vote.label.index()] += 1.0;
            }
        }
        let rate = |truth: usize| said[truth][truth] / (said[truth][0] + said[truth][1]);
        f64::midpoint(rate(0), rate(1))
    }

    #[test]
    fn levels_are_about_those_published() {
        let rated = generate(12_000, 1);
        let identity = &rated.data.cases().group("identity").unwrap().of_case;
        let objective = |case: usize| rated.data.cases().labels()[case].unwrap();
        let subjective = |case: usize| rated.subjective[case];
        let own = |case: usize, pool: usize| identity[case].index() == pool;
        let levels = [
            (balanced_accuracy(&rated, objective, |_, _| true), 0.60),
            (balanced_accuracy(&rated, subjective, |_, _| true), 0.66),
            (balanced_accuracy(&rated, objective, own), 0.62),
            (balanced_accuracy(&rated, subjective, own), 0.79),
        ];
        assert!(levels.iter().all(|(found, expected)| (found - expected).abs() < 0.015), "{levels:?}");
        let attacks = (0..12_000).filter(|&case| objective(case) == Label(1)).count() as f64 / 12_000.0;
        // Four standard deviations of a share of 12,000.
        assert!((attacks - 0.12).abs() < 0.012, "{attacks}");
        let counts = rated.data.cases().group("identity").unwrap().counts();
        let shares = [0.317, 0.286, 0.397];
        assert!(counts.iter().zip(shares).all(|(&n, share)| (n as f64 / 12_000.0 - share).abs() < 0.018), "{counts:?}");
    }

    #[test]
    fn five_of_each_pool_rate_every_comment() {
        let rated = generate(300, 2);
        for case in 0..300 {
            let row = rated.data.decisions().of_case(CaseId::at(case));
            let of = |pool| row.ids.iter().filter(|rater| rated.pools[rater.index()] == pool).count();
            assert_eq!([0, 1, 2].map(of), [5, 5, 5]);
            let identity = rated.data.cases().group("identity").unwrap().of_case[case].index();
            let attacks =
                row.iter().filter(|(rater, label)| rated.pools[rater.index()] == identity && *label == Label(1));
            assert_eq!(rated.subjective[case], Label(u16::from(attacks.count() >= 3)));
        }
    }

    #[test]
    fn features_tell_the_identity_well_and_the_label_hardly() {
        let rated = generate(6000, 3);
        let columns = rated.data.cases().features().as_dense().unwrap();
        let identity = &rated.data.cases().group("identity").unwrap().of_case;
        let told = |case: &usize| deferral_core::argmax(&columns.column(*case)[..3]) == identity[*case].index();
        let share = (0..6000).filter(told).count() as f64 / 6000.0;
        assert!(share > 0.95, "{share}");
        let mean = |label: u16| {
            let of = |case: &usize| rated.data.cases().labels()[*case] == Some(Label(label));
            let values: Vec<f64> = (0..6000).filter(of).map(|case| columns.column(case)[3]).collect();
            values.iter().sum::<f64>() / values.len() as f64
        };
        assert!((mean(1) - mean(0) - 0.3).abs() < 0.16, "{} {}", mean(1), mean(0));
    }

    #[test]
    fn the_same_seed_gives_the_same_data_and_more_comments_keep_the_first() {
        let all = generate(40, 1);
        assert_eq!(all, generate(40, 1));
        assert_ne!(all, generate(40, 2));
        let first: Vec<usize> = (0..15).collect();
        let fewer = generate(15, 1);
        assert_eq!((fewer.data, &fewer.subjective[..]), (all.data.select(&first), &all.subjective[..15]));
    }

    #[test]
    fn parameters_are_checked() {
        let message = |change: fn(&mut RaterPools)| {
            let mut pools = RaterPools { comments: 5, ..RaterPools::default() };
            change(&mut pools);
            pools.generate(&Stream::new(1)).unwrap_err().to_string()
        };
        assert_eq!(message(|p| p.comments = 0), "the number of comments is 0, but must be at least 1");
        assert_eq!(message(|p| p.per_pool = 4), "the number of raters per pool and comment is 4, but must be odd");
        assert_eq!(
            message(|p| p.raters[1] = 3),
            "the pool African American is 3, but must be at least 5, the raters of a comment"
        );
        assert_eq!(message(|p| p.attacks = 2.0), "the share of attacks is 2, but must be a probability, from 0 to 1");
        assert_eq!(
            message(|p| p.features = 3),
            "the number of features is 3, but must be at least 4, one for each identity and one for the label"
        );
    }
}
