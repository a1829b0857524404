//! The settings of `consult`: what is learned, whom to ask next and when to stop.

use deferral_consult::{Asking, By, Choice, Consult, Labels, Truth, WorstGroup};
use deferral_models::Calibration;

use crate::methods::MethodError;
use crate::settings::Setting;

/// The settings that only `consult` has, or has in its own way.
pub(crate) const CONSULT_KEYS: &[&str] = &[
    "k",
    "choose",
    "confidence",
    "price",
    "max-asks",
    "at-once",
    "truth",
    "calibration",
    "calibrate-by",
    "by",
    "pool-strength",
    "group-strength",
    "dependence",
    "temper",
    "labels",
    "worst-error",
    "promise",
    "aside",
    "group-known",
    "for-next",
];

/// The choices of whom to ask next, by name.
const CHOICES: [(&str, Choice); 5] = [
    ("entropy", Choice::Entropy),
    ("error", Choice::Error),
    ("two-steps", Choice::TwoSteps),
    ("best", Choice::Best),
    ("random", Choice::Random),
];

/// Changes a consultation by one of its settings. `attribute` is the group attribute of `--group`.
pub(crate) fn set(
    consult: &mut Consult,
    asking: &mut Asking,
    attribute: Option<&str>,
    setting: Setting<'_>,
) -> Result<(), MethodError> {
    let attribute = || attribute.map(str::to_owned).ok_or_else(|| MethodError::needs_group(setting.method));
    let yes_or_no = [("yes", true), ("no", false)];
    match setting.key {
        "k" => *asking = Asking { errors: asking.errors.clone(), ..Asking::fixed(setting.count()?, asking.choose) },
        "choose" => asking.choose = setting.choose(&CHOICES)?,
        "confidence" => asking.confidence = setting.number()?,
        "price" => asking.price = setting.number()?,
        "max-asks" => asking.max_asks = Some(setting.count()?),
        "at-once" => asking.at_once = setting.count()?,
        "truth" => {
            consult.truth = setting.choose(&[("gold", Truth::Gold), ("votes", Truth::Votes), ("both", Truth::Both)])?;
        }
        "calibration" => {
            consult.calibration = setting.choose(&[
                ("platt", Calibration::Platt),
                ("temperature", Calibration::Temperature),
                ("isotonic", Calibration::Isotonic),
                ("none", Calibration::None),
            ])?;
        }
        "calibrate-by" => {
            let by_group = setting.choose(&[("all", false), ("group", true)])?;
            consult.calibrate_by = if by_group { Some(attribute()?) } else { None };
        }
        "by" => {
            consult.by = match setting.choose(&[("nothing", 0), ("group", 1), ("likely-group", 2), ("region", 3)])? {
                1 => By::Group { attribute: attribute()? },
                2 => By::LikelyGroup { attribute: attribute()? },
                3 => By::Region,
                _ => By::Nothing,
            };
        }
        "pool-strength" => consult.shrinkage.pool = setting.number()?,
        "group-strength" => consult.shrinkage.own = setting.number()?,
        "dependence" => consult.dependence = setting.choose(&yes_or_no)?,
        "temper" => consult.temper = setting.choose(&yes_or_no)?,
        "labels" => consult.labels = labels(setting)?,
        "worst-error" => {
            let (error, attribute) = (setting.number()?, attribute()?);
            consult.bound = Some(match consult.bound.take() {
                Some(bound) => WorstGroup { error, ..bound },
                None => WorstGroup::at_most(error, attribute),
            });
        }
        _ => return set_bound(consult, &attribute()?, setting),
    }
    Ok(())
}

/// A share of the training labels, or so many of each case: `0.05`, `2/case`.
fn labels(setting: Setting<'_>) -> Result<Labels, MethodError> {
    match setting.value.strip_suffix("/case") {
        Some(most) => Ok(Labels::PerCase(Setting { value: most, ..setting }.count()?)),
        None => Ok(Labels::Share(setting.number()?)),
    }
}

/// The settings of a bound that may stand before the bound itself.
fn set_bound(consult: &mut Consult, attribute: &str, setting: Setting<'_>) -> Result<(), MethodError> {
    // An error that nobody may make is refused when the method is used, unless `worst-error` follows.
    let bound = consult.bound.get_or_insert_with(|| WorstGroup::at_most(0.0, attribute));
    match setting.key {
        "promise" => bound.promise = setting.number()?,
        "aside" => bound.share = setting.number()?,
        "group-known" => bound.known = setting.choose(&[("yes", true), ("no", false)])?,
        _ => bound.for_next = Some(setting.count()?),
    }
    Ok(())
}
