//! Grids: settings whose values are gone through, such as `gamma=0:0.5:0.05`.

use serde::Serialize;

use crate::methods::{Method, MethodError};
use crate::settings::all_keys;

/// One setting and the values that it takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Axis {
    /// The setting, as methods know it.
    pub key: String,
    /// Its values, one or more, in order.
    pub values: Vec<f64>,
}

/// Why a grid cannot be gone through.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GridError {
    /// It is not written as one.
    #[error("--grid {text} must be KEY=FROM:TO:STEP, such as gamma=0:0.5:0.05, or KEY=VALUE,VALUE,...")]
    Form {
        /// What was written.
        text: String,
    },
    /// It has no value.
    #[error(
        "--grid {text} has no values: going from {from} in steps of {step} never comes to {to}; turn the step around or \
         make it larger than 0"
    )]
    NoValues {
        /// What was written.
        text: String,
        /// Where it begins.
        from: f64,
        /// Where it ends.
        to: f64,
        /// The step.
        step: f64,
    },
    /// A value is not a finite number.
    #[error("--grid {text}: `{value}` is not a finite number")]
    NotFinite {
        /// What was written.
        text: String,
        /// The value.
        value: String,
    },
    /// Two axes are about the same setting.
    #[error("--grid names `{key}` twice; write its values in one list, such as {key}=0,0.1,0.5")]
    Twice {
        /// The setting.
        key: String,
    },
    /// Too many points.
    #[error("the grid has {points} points for one method, more than the {} that fit into a report", MOST_POINTS)]
    TooMany {
        /// How many.
        points: usize,
    },
    /// No method has a setting of the grid.
    #[error("none of the methods has a setting `{key}`; leave it out of --grid, or compare a method that has it")]
    Unused {
        /// The setting.
        key: String,
    },
    /// A method does not take a value.
    #[error(transparent)]
    Method(#[from] MethodError),
}

/// More than these are a slip of the keyboard.
const MOST_POINTS: usize = 20_000;

impl Axis {
    /// Reads `key=from:to:step`, both ends included, or `key=value,value`.
    ///
    /// # Errors
    /// [`GridError`] says what is wrong.
    ///
    /// ```
    /// use deferral_eval::Axis;
    /// assert_eq!(Axis::parse("gamma=0:0.5:0.25")?.values, [0.0, 0.25, 0.5]);
    /// assert_eq!(Axis::parse("alpha=0,1,10")?.values, [0.0, 1.0, 10.0]);
    /// assert!(Axis::parse("gamma=0:0.5:-0.1").unwrap_err().to_string().contains("has no values"));
    /// # Ok::<(), deferral_eval::GridError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, GridError> {
        let form = || GridError::Form { text: text.to_owned() };
        let (key, values) = text.split_once('=').ok_or_else(form)?;
        let number = |value: &str| {
            let wrong = || GridError::NotFinite { text: text.to_owned(), value: value.trim().to_owned() };
            value.trim().parse().ok().filter(|v: &f64| v.is_finite()).ok_or_else(wrong)
        };
        let values: Vec<f64> = match values.split(':').collect::<Vec<_>>()[..] {
            [from, to, step] => range(text, number(from)?, number(to)?, number(step)?)?,
            [list] if !list.trim().is_empty() => list.split(',').map(number).collect::<Result<_, _>>()?,
            _ => return Err(form()),
        };
        let key = key.trim().to_owned();
        if !all_keys().contains(&key.as_str()) {
            return Err(MethodError::NoMethodHas { key, known: all_keys().join(", ") }.into());
        }
        Ok(Self { key, values })
    }

    /// Every method at every combination of the values of those settings that it has, in order; a method that has none
    /// stays as it is. A method is then called `NAME:KEY=VALUE,...` in the order of the axes.
    ///
    /// ```
    /// use deferral_eval::{Axis, Method};
    /// let axes = ["gamma=0,0.1", "alpha=0,1"].map(|text| Axis::parse(text)).into_iter().collect::<Result<Vec<_>, _>>()?;
    /// let defer = Method::parse("defer", &[], Some("A"))?;
    /// let names: Vec<String> = Axis::spread(&axes, &[defer])?.into_iter().map(|method| method.name).collect();
    /// assert_eq!(names, ["defer:gamma=0,alpha=0", "defer:gamma=0,alpha=1", "defer:gamma=0.1,alpha=0", "defer:gamma=0.1,alpha=1"]);
    /// # Ok::<(), deferral_eval::GridError>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is named twice, means nothing to any method, or has a value that a method does not take.
    pub fn spread(axes: &[Self], methods: &[Method]) -> Result<Vec<Method>, GridError> {
        let families = spread(methods, axes)?;
        Ok(families.into_iter().flat_map(|family| family.points.into_iter().map(|(method, _)| method)).collect())
    }
}

fn range(text: &str, from: f64, to: f64, step: f64) -> Result<Vec<f64>, GridError> {
    // A step that meets the end but for rounding reaches it.
    let steps = ((to - from) / step + 1e-9).floor();
    if !(steps >= 0.0 && steps.is_finite()) {
        return Err(GridError::NoValues { text: text.to_owned(), from, to, step });
    }
    if steps >= MOST_POINTS as f64 {
        return Err(GridError::TooMany { points: steps as usize + 1 });
    }
    // Multiples of .05 are written as people write them.
    Ok((0..=steps as usize).map(|at| ((from + at as f64 * step) * 1e10).round() / 1e10).collect())
}

/// One method at all points of the grid that mean something to it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spread {
    /// As it was written.
    pub(crate) name: String,
    /// At every point, with its settings there.
    pub(crate) points: Vec<(Method, Vec<(String, f64)>)>,
}

/// Every method at every combination of the values of those settings that it has; a method that has none stays as it is.
pub(crate) fn spread(methods: &[Method], axes: &[Axis]) -> Result<Vec<Spread>, GridError> {
    for (at, axis) in axes.iter().enumerate() {
        if axes[..at].iter().any(|other| other.key == axis.key) {
            return Err(GridError::Twice { key: axis.key.clone() });
        }
        if !methods.iter().any(|method| method.has(&axis.key)) {
            return Err(GridError::Unused { key: axis.key.clone() });
        }
    }
    methods.iter().map(|method| of_method(method, axes)).collect()
}

fn of_method(method: &Method, axes: &[Axis]) -> Result<Spread, GridError> {
    let mut points = vec![(method.clone(), Vec::new())];
    for axis in axes.iter().filter(|axis| method.has(&axis.key)) {
        let total = points.len().saturating_mul(axis.values.len());
        if total > MOST_POINTS {
            return Err(GridError::TooMany { points: total });
        }
        let mut next = Vec::with_capacity(total);
        for (method, settings) in points {
            for &value in &axis.values {
                let mut settings: Vec<(String, f64)> = settings.clone();
                settings.push((axis.key.clone(), value));
                next.push((method.clone().with(&axis.key, &value.to_string())?, settings));
            }
        }
        points = next;
    }
    Ok(Spread { name: method.name.clone(), points })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        Axis::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn both_ends_belong_to_a_range() {
        let axis = Axis::parse("gamma=0:0.5:0.05").unwrap();
        assert_eq!(axis.values.len(), 11);
        assert_eq!((axis.values[3], axis.values[10]), (0.15, 0.5));
        assert_eq!(Axis::parse("gamma=-0.05:0.1:0.05").unwrap().values, [-0.05, 0.0, 0.05, 0.1]);
        assert_eq!(Axis::parse("gamma=1:0:-0.5").unwrap().values, [1.0, 0.5, 0.0]);
        assert_eq!(Axis::parse("gamma=1:1:1").unwrap().values, [1.0]);
    }

    #[test]
    fn mistakes_are_named() {
        assert!(message("gamma").contains("must be KEY=FROM:TO:STEP"));
        assert!(message("gamma=").contains("must be KEY=FROM:TO:STEP"));
        assert!(message("gamma=0:1").contains("must be KEY=FROM:TO:STEP"));
        assert!(message("gamma=0:1:0").contains("has no values: going from 0 in steps of 0 never comes to 1"));
        assert!(message("gamma=1:0:0.1").contains("has no values"));
        assert_eq!(message("gamma=0,x"), "--grid gamma=0,x: `x` is not a finite number");
        assert_eq!(message("gamma=0:inf:1"), "--grid gamma=0:inf:1: `inf` is not a finite number");
        assert!(message("alpha=NaN").contains("`NaN` is not a finite number"));
        assert!(message("gama=0:1:0.5").starts_with("no method has a setting `gama`"));
        assert!(message("gamma=0:1:0.00001").contains("points for one method"));
    }

    #[test]
    fn a_method_takes_the_axes_that_it_has() {
        let parse = |name: &str| Method::parse(name, &[], Some("A")).unwrap();
        let axes = ["gamma=0,0.1", "alpha=0,0.5,1"].map(|text| Axis::parse(text).unwrap());
        let spread = |names: &[&str], axes: &[Axis]| {
            super::spread(&names.iter().map(|name| parse(name)).collect::<Vec<_>>(), axes)
        };
        let families = spread(&["defer", "majority"], &axes).unwrap();
        assert_eq!((families[0].points.len(), families[1].points.len()), (6, 1));
        assert_eq!(families[0].points[1].0.name, "defer:gamma=0,alpha=0.5");
        assert_eq!(families[0].points[1].1, [("gamma".to_owned(), 0.0), ("alpha".to_owned(), 0.5)]);
        let refused = |axes: &[Axis]| spread(&["majority"], axes).unwrap_err().to_string();
        assert!(refused(&axes[..1]).starts_with("none of the methods has a setting `gamma`"));
        assert!(refused(&[axes[0].clone(), axes[0].clone()]).starts_with("none of the methods"));
        let twice = spread(&["defer"], &[axes[0].clone(), axes[0].clone()]).unwrap_err().to_string();
        assert!(twice.starts_with("--grid names `gamma` twice"), "{twice}");
    }
}
