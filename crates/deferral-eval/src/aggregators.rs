//! The aggregators that are known by name, and their settings: `name` or `name:key=value,key=value`.

use deferral_crowd::{
    AnyAggregator, DawidSkene, FastDawidSkene, Glad, GroupedDawidSkene, HierarchicalDawidSkene, LearningFromCrowds,
    Mace, MaceMethod, Majority, OneCoin, OnlineDawidSkene, TieRule, Wawa, ZeroBasedSkill,
};

use crate::methods::{Known, MethodError};
use crate::settings::Setting;

/// All aggregators, in the order in which tables show them.
pub const AGGREGATORS: &[Known] = &[
    Known { name: "majority", about: "majority vote of the labels there are; ties go to the first label", source: "-" },
    Known {
        name: "wawa",
        about: "workers weigh as much as they agree with the majority",
        source: "as in the field's usual toolkits",
    },
    Known {
        name: "zero-based-skill",
        about: "the same, the weights moving step by step",
        source: "as in the field's usual toolkits",
    },
    Known { name: "dawid-skene", about: "a confusion matrix a worker, by EM", source: "Dawid and Skene 1979" },
    Known {
        name: "one-coin",
        about: "one probability of being right a worker, by EM",
        source: "Dawid and Skene 1979, simplified",
    },
    Known { name: "glad", about: "an ability a worker and a difficulty a task", source: "Whitehill et al. 2009" },
    Known { name: "mace", about: "a spam rate a worker and what spammers say", source: "Hovy et al. 2013" },
    Known {
        name: "hierarchical",
        about: "Dawid-Skene with matrices shrunk to the pool of all workers",
        source: "ours, after hierarchical models of annotation",
    },
    Known {
        name: "grouped",
        about: "Dawid-Skene with a matrix a worker and group, shrunk to the worker's own",
        source: "ours",
    },
    Known {
        name: "learning-from-crowds",
        about: "votes and features together: a classifier trained inside EM",
        source: "Raykar et al. 2010, with out-of-fold predictions",
    },
    Known {
        name: "fast-dawid-skene",
        about: "Dawid-Skene with hard labels, few iterations",
        source: "Sinha et al. 2018",
    },
    Known {
        name: "online-dawid-skene",
        about: "Dawid-Skene that takes one vote at a time",
        source: "ours, after incremental EM",
    },
];

/// The aggregator called `name`, with its defaults; `None` if there is none. `attribute` is the group attribute that
/// grouped ones use.
///
/// # Errors
/// If it needs a group attribute and there is none.
pub(crate) fn named(name: &str, attribute: Option<&str>) -> Result<Option<AnyAggregator>, MethodError> {
    Ok(Some(match name {
        "majority" => AnyAggregator::Majority(Majority::default()),
        "wawa" => AnyAggregator::Wawa(Wawa::default()),
        "zero-based-skill" => AnyAggregator::ZeroBasedSkill(ZeroBasedSkill::default()),
        "dawid-skene" => AnyAggregator::DawidSkene(DawidSkene::default()),
        "one-coin" => AnyAggregator::OneCoin(OneCoin::default()),
        "glad" => AnyAggregator::Glad(Glad::default()),
        "mace" => AnyAggregator::Mace(Mace::default()),
        "hierarchical" => AnyAggregator::Hierarchical(HierarchicalDawidSkene::default()),
        "grouped" => match attribute {
            Some(attribute) => AnyAggregator::Grouped(GroupedDawidSkene::by(attribute)),
            None => return Err(MethodError::needs_group(name)),
        },
        "learning-from-crowds" => AnyAggregator::LearningFromCrowds(LearningFromCrowds::default()),
        "fast-dawid-skene" => AnyAggregator::Fast(FastDawidSkene::default()),
        "online-dawid-skene" => AnyAggregator::Online(OnlineDawidSkene::default()),
        _ => return Ok(None),
    }))
}

const TIE: &str = "tie";
const EM: &[&str] = &["iterations", "tolerance"];

/// The settings that an aggregator has.
pub(crate) fn keys(aggregator: &AnyAggregator) -> Vec<&'static str> {
    let (em, own): (&[&str], &[&str]) = match aggregator {
        AnyAggregator::Majority(_) | AnyAggregator::Wawa(_) => (&[], &[TIE]),
        AnyAggregator::ZeroBasedSkill(_) | AnyAggregator::Fast(_) => (&[], &["iterations", TIE]),
        AnyAggregator::DawidSkene(_) | AnyAggregator::OneCoin(_) | AnyAggregator::Glad(_) => (EM, &[]),
        AnyAggregator::Mace(_) => (EM, &["variant", "restarts"]),
        AnyAggregator::Hierarchical(_) => (EM, &["pool-strength"]),
        AnyAggregator::Grouped(_) => (EM, &["pool-strength", "group-strength"]),
        AnyAggregator::LearningFromCrowds(_) => (EM, &["pool-strength", "strength", "folds", "divisions", "rounds"]),
        AnyAggregator::Online(_) => (&[], &["passes", "pool-strength"]),
    };
    em.iter().chain(own).copied().collect()
}

/// Changes an aggregator by one of its settings.
pub(crate) fn set(aggregator: &mut AnyAggregator, setting: Setting<'_>) -> Result<(), MethodError> {
    let iterations = match aggregator {
        AnyAggregator::DawidSkene(DawidSkene { iterations })
        | AnyAggregator::OneCoin(OneCoin { iterations })
        | AnyAggregator::Glad(Glad { iterations, .. })
        | AnyAggregator::Mace(Mace { iterations, .. })
        | AnyAggregator::Hierarchical(HierarchicalDawidSkene { iterations, .. })
        | AnyAggregator::Grouped(GroupedDawidSkene { workers: HierarchicalDawidSkene { iterations, .. }, .. })
        | AnyAggregator::LearningFromCrowds(LearningFromCrowds {
            workers: HierarchicalDawidSkene { iterations, .. },
            ..
        }) => Some(iterations),
        _ => None,
    };
    match (setting.key, iterations) {
        ("iterations", Some(iterations)) => iterations.limit = setting.count()?,
        ("tolerance", Some(iterations)) => iterations.tolerance = setting.number()?,
        _ => return set_own(aggregator, setting),
    }
    Ok(())
}

fn set_own(aggregator: &mut AnyAggregator, setting: Setting<'_>) -> Result<(), MethodError> {
    match (setting.key, aggregator) {
        (
            TIE,
            AnyAggregator::Majority(Majority { tie })
            | AnyAggregator::Wawa(Wawa { tie })
            | AnyAggregator::ZeroBasedSkill(ZeroBasedSkill { tie, .. })
            | AnyAggregator::Fast(FastDawidSkene { tie, .. }),
        ) => {
            *tie = setting.choose(&[
                ("lowest", TieRule::Lowest),
                ("highest", TieRule::Highest),
                ("random", TieRule::Random),
                ("most-frequent", TieRule::MostFrequent),
            ])?;
        }
        (
            "iterations",
            AnyAggregator::ZeroBasedSkill(ZeroBasedSkill { iterations, .. })
            | AnyAggregator::Fast(FastDawidSkene { iterations, .. }),
        ) => *iterations = setting.count()?,
        ("variant", AnyAggregator::Mace(mace)) => {
            mace.method = setting.choose(&[("em", MaceMethod::Em), ("variational", MaceMethod::Variational)])?;
        }
        ("restarts", AnyAggregator::Mace(mace)) => mace.restarts = setting.count()?,
        (
            "pool-strength",
            AnyAggregator::Hierarchical(HierarchicalDawidSkene { strength, .. })
            | AnyAggregator::Grouped(GroupedDawidSkene { workers: HierarchicalDawidSkene { strength, .. }, .. })
            | AnyAggregator::LearningFromCrowds(LearningFromCrowds {
                workers: HierarchicalDawidSkene { strength, .. },
                ..
            })
            | AnyAggregator::Online(OnlineDawidSkene { strength, .. }),
        ) => *strength = setting.number()?,
        ("group-strength", AnyAggregator::Grouped(model)) => model.group_strength = setting.number()?,
        ("strength", AnyAggregator::LearningFromCrowds(model)) => model.classifier.strength = setting.number()?,
        ("folds", AnyAggregator::LearningFromCrowds(model)) => model.folds = setting.count()?,
        ("divisions", AnyAggregator::LearningFromCrowds(model)) => model.divisions = setting.count()?,
        ("rounds", AnyAggregator::LearningFromCrowds(model)) => model.rounds = setting.count()?,
        ("passes", AnyAggregator::Online(model)) => model.passes = setting.count()?,
        _ => {}
    }
    Ok(())
}

/// An aggregator as it was written, and how much gold it may look at.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedAggregator {
    /// As it was written.
    pub name: String,
    /// What it is.
    pub aggregator: AnyAggregator,
    /// With 2 or more, tasks are divided into so many folds, and those of a fold are aggregated with the gold labels of
    /// the others known; with 0 no gold is looked at.
    pub gold_folds: usize,
}

impl NamedAggregator {
    /// Reads an aggregator. `attribute` is the group attribute that grouped ones use. Beside its own settings every
    /// aggregator has `gold`: the number of folds, or 0.
    ///
    /// # Errors
    /// [`MethodError`] names what is wrong and what would be right.
    ///
    /// ```
    /// use deferral_eval::NamedAggregator;
    /// let named = NamedAggregator::parse("hierarchical:pool-strength=4,gold=5", None)?;
    /// assert_eq!(named.gold_folds, 5);
    /// let message = NamedAggregator::parse("majority:strength=4", None).unwrap_err().to_string();
    /// assert_eq!(message, "method `majority` has no setting `strength`; it has: tie, gold");
    /// # Ok::<(), deferral_eval::MethodError>(())
    /// ```
    pub fn parse(text: &str, attribute: Option<&str>) -> Result<Self, MethodError> {
        let (name, settings) = text.split_once(':').unwrap_or((text, ""));
        let name = name.trim();
        let unknown = || MethodError::Unknown {
            name: name.to_owned(),
            known: AGGREGATORS.iter().map(|known| known.name).collect::<Vec<_>>().join(", "),
        };
        let mut aggregator = named(name, attribute)?.ok_or_else(unknown)?;
        let mut gold_folds = 0;
        for text in settings.split(',').map(str::trim).filter(|s| !s.is_empty()) {
            let setting = Setting::read(name, text)?;
            let known = keys(&aggregator);
            match setting.key {
                "gold" => gold_folds = setting.count()?,
                key if known.contains(&key) => set(&mut aggregator, setting)?,
                key => {
                    let known = known.into_iter().chain(["gold"]).collect::<Vec<_>>().join(", ");
                    return Err(MethodError::Key { method: name.to_owned(), key: key.to_owned(), known });
                }
            }
        }
        if gold_folds == 1 {
            let (method, key, value) = (name.to_owned(), "gold".to_owned(), "1".to_owned());
            return Err(MethodError::Value { method, key, value, expected: "0, or 2 folds or more".to_owned() });
        }
        Ok(Self { name: text.trim().to_owned(), aggregator, gold_folds })
    }
}
