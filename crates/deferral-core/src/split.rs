//! Dividing cases into what is learned from and what is decided.

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::cases::{Cases, CasesError, GroupAttribute};
use crate::learn::ParameterError;
use crate::seed::Stream;

/// Which cases are learned from and which are decided: positions, each case in exactly one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Cases to learn from.
    pub train: Vec<usize>,
    /// Cases to choose settings by; none unless the division is given with the cases.
    pub validation: Vec<usize>,
    /// Cases to decide.
    pub test: Vec<usize>,
}

/// How cases are divided.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Splitter {
    /// One random division.
    Random {
        /// Share of the cases on the test side, rounded to the nearest number.
        test: f64,
    },
    /// k blocks in file order, each of floor(n/k) cases and the last with the rest: the folds of the released code
    /// of the joint framework.
    ContiguousFolds {
        /// Number of folds.
        k: usize,
    },
    /// The same after a random shuffle.
    ShuffledFolds {
        /// Number of folds.
        k: usize,
    },
    /// k folds in which every combination of label and group has its share, up to one case.
    StratifiedFolds {
        /// Number of folds.
        k: usize,
    },
    /// One random division in which every combination of label and group has its share, up to one case.
    Stratified {
        /// Share of the cases on the test side.
        test: f64,
    },
}

/// Why cases cannot be divided.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// A parameter does not fit the number of cases.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The group attribute does not exist.
    #[error(transparent)]
    Cases(#[from] CasesError),
}

impl Splitter {
    /// Divides `cases`: one [`Split`] for a random division, k for folds. `attribute` is the group attribute to
    /// stratify by beside the label; the others ignore it. O(n log n).
    ///
    /// # Errors
    /// If k or the share leaves a side without a case, or the attribute does not exist.
    ///
    /// ```
    /// use deferral_core::{Cases, Features, Names, Splitter, Stream};
    /// let cases = Cases::new(Names::numbered("case", 12), Features::none(12))?;
    /// let folds = Splitter::ContiguousFolds { k: 5 }.split(&cases, None, &Stream::new(1))?;
    /// assert_eq!(folds[0].test, [0, 1]);
    /// assert_eq!(folds[4].test, [8, 9, 10, 11]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn split(&self, cases: &Cases, attribute: Option<&str>, stream: &Stream) -> Result<Vec<Split>, SplitError> {
        let n = cases.n();
        let in_order: Vec<usize> = (0..n).collect();
        let shuffled = || {
            let mut order = in_order.clone();
            order.shuffle(&mut stream.random());
            order
        };
        match *self {
            Self::Random { test } => {
                let size = test_size(n, test)?;
                Ok(vec![divide(n, &shuffled()[..size])])
            }
            Self::ContiguousFolds { k } => folds(n, &in_order, k),
            Self::ShuffledFolds { k } => folds(n, &shuffled(), k),
            Self::Stratified { test } => {
                test_size(n, test)?;
                let strata = strata(cases, attribute, stream)?;
                // Rounding the running total keeps every stratum and the whole within one case of its share.
                let chosen: Vec<usize> =
                    strata.iter().enumerate().filter(|(i, _)| takes(*i, test)).map(|(_, &case)| case).collect();
                Ok(vec![divide(n, &chosen)])
            }
            Self::StratifiedFolds { k } => {
                check_folds(n, k)?;
                let strata = strata(cases, attribute, stream)?;
                let fold = |fold: usize| {
                    let members = strata.iter().enumerate().filter(|(i, _)| i % k == fold);
                    divide(n, &members.map(|(_, &case)| case).collect::<Vec<_>>())
                };
                Ok((0..k).map(fold).collect())
            }
        }
    }
}

/// Whether item `i` of a sequence is among the share `share` of it, spread evenly.
fn takes(i: usize, share: f64) -> bool {
    ((i + 1) as f64 * share).round() > (i as f64 * share).round()
}

fn test_size(n: usize, test: f64) -> Result<usize, ParameterError> {
    let size = (n as f64 * test).round();
    let ok = test > 0.0 && test < 1.0 && size >= 1.0 && size < n as f64;
    let expected = format!("a share between 0 and 1 that leaves both sides of {n} cases non-empty");
    ParameterError::check(ok, "the test share", test, &expected)?;
    Ok(size as usize)
}

fn check_folds(n: usize, k: usize) -> Result<(), ParameterError> {
    let expected = format!("between 2 and the {n} cases there are");
    ParameterError::check(k >= 2 && k <= n, "the number of folds", k, &expected)
}

fn folds(n: usize, order: &[usize], k: usize) -> Result<Vec<Split>, SplitError> {
    check_folds(n, k)?;
    let size = n / k;
    let end = |fold: usize| if fold + 1 == k { n } else { (fold + 1) * size };
    Ok((0..k).map(|fold| divide(n, &order[fold * size..end(fold)])).collect())
}

fn divide(n: usize, test: &[usize]) -> Split {
    let mut is_test = vec![false; n];
    for &case in test {
        is_test[case] = true;
    }
    let side = |wanted: bool| (0..n).filter(|&case| is_test[case] == wanted).collect();
    Split { train: side(false), validation: Vec::new(), test: side(true) }
}

/// The cases in random order, sorted into runs of equal label and group.
fn strata(cases: &Cases, attribute: Option<&str>, stream: &Stream) -> Result<Vec<usize>, SplitError> {
    let group: Option<&GroupAttribute> = attribute.map(|name| cases.group(name)).transpose()?;
    let mut order: Vec<usize> = (0..cases.n()).collect();
    order.shuffle(&mut stream.random());
    order.sort_by_key(|&case| (cases.labels()[case], group.map(|g| g.of_case[case])));
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::Features;
    use crate::ids::Label;
    use crate::names::Names;
    use proptest::prelude::*;

    fn cases(n: usize) -> Cases {
        let cases = Cases::new(Names::numbered("c", n), Features::none(n)).unwrap();
        let labels = (0..n).map(|i| Some(Label::at(usize::from(i % 3 == 0)))).collect();
        let group = GroupAttribute::from_values("g", (0..n).map(|i| if i % 2 == 0 { "a" } else { "b" }));
        cases.with_labels(labels).unwrap().with_group(group).unwrap()
    }

    proptest! {
        #[test]
        fn every_case_is_tested_once_in_folds(n in 4usize..80, k in 2usize..5, seed in 0u64..50) {
            for splitter in [
                Splitter::ContiguousFolds { k }, Splitter::ShuffledFolds { k }, Splitter::StratifiedFolds { k },
            ] {
                let splits = splitter.split(&cases(n), Some("g"), &Stream::new(seed)).unwrap();
                let mut tested: Vec<usize> = splits.iter().flat_map(|s| s.test.clone()).collect();
                tested.sort_unstable();
                prop_assert_eq!(tested, (0..n).collect::<Vec<_>>());
                prop_assert!(splits.iter().all(|s| s.train.len() + s.test.len() == n && !s.test.is_empty()));
            }
        }

        #[test]
        fn strata_keep_their_share(n in 24usize..200, seed in 0u64..50) {
            let cases = cases(n);
            let split = Splitter::Stratified { test: 0.25 }.split(&cases, Some("g"), &Stream::new(seed)).unwrap();
            let group = cases.group("g").unwrap();
            for label in 0..2 {
                for g in 0..2 {
                    let here = |c: &&usize| cases.labels()[**c] == Some(Label(label)) && group.of_case[**c].0 == g;
                    let all = (0..n).collect::<Vec<_>>();
                    let (of_all, of_test) = (all.iter().filter(here).count(), split[0].test.iter().filter(here).count());
                    prop_assert!((of_all as f64 * 0.25 - of_test as f64).abs() <= 1.0);
                }
            }
        }
    }

    #[test]
    fn impossible_splits_are_refused() {
        let refuse = |splitter: Splitter| splitter.split(&cases(4), None, &Stream::new(1)).unwrap_err().to_string();
        assert_eq!(
            refuse(Splitter::ContiguousFolds { k: 5 }),
            "the number of folds is 5, but must be between 2 and the 4 cases there are"
        );
        assert!(refuse(Splitter::Random { test: 1.5 }).starts_with("the test share is 1.5"));
        assert!(refuse(Splitter::Random { test: f64::NAN }).starts_with("the test share is NaN"));
    }
}
