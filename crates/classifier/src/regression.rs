//! Logistic regression with a penalty on large weights and a sign for each: the scorer's learning.
//!
//! A signal that speaks for a topic may never count against it and the other way round. That keeps few labels from
//! teaching accidents, and adding an unrelated paragraph cannot raise a score. Solved by accelerated projected
//! gradient descent (Beck and Teboulle 2009, FISTA): deterministic, and no step size to choose.

use crate::topic::logistic;

/// Steps of the descent: the objective changes by less than 1e-6 after some 200 on the data at hand.
const STEPS: usize = 300;

/// One labelled row.
pub(crate) struct Row<'a> {
    pub(crate) values: &'a [f64],
    pub(crate) positive: bool,
    /// How much the label counts.
    pub(crate) weight: f64,
}

/// What was learned: a bias and a weight for each value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub(crate) bias: f64,
    pub(crate) weights: Vec<f64>,
}

impl Line {
    /// Returns the sum for a row.
    pub(crate) fn sum(&self, values: &[f64]) -> f64 {
        self.bias
            + values
                .iter()
                .zip(&self.weights)
                .map(|(value, weight)| value * weight)
                .sum::<f64>()
    }
}

/// What is known of a weight before anything is learned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Prior {
    /// The sign that the weight may have.
    pub(crate) sign: Sign,
    /// The value that it keeps where nothing speaks against it.
    pub(crate) mean: f64,
}

/// The sign that a weight may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    Positive,
    Negative,
    Any,
}

impl Sign {
    fn project(self, weight: f64) -> f64 {
        match self {
            Self::Positive => weight.max(0.0),
            Self::Negative => weight.min(0.0),
            Self::Any => weight,
        }
    }
}

/// Fits a line; `penalty` is that of half the squared distance from the priors, in rows, after scaling values to unit
/// size.
pub(crate) fn fit(rows: &[Row<'_>], priors: &[Prior], penalty: f64) -> Line {
    let scales = scales(rows, priors.len());
    let means: Vec<f64> = priors
        .iter()
        .zip(&scales)
        .map(|(prior, scale)| prior.mean * scale)
        .collect();
    let total: f64 = rows.iter().map(|row| row.weight).sum();
    let scaled: Vec<Vec<f64>> = rows
        .iter()
        .map(|row| {
            row.values
                .iter()
                .zip(&scales)
                .map(|(value, scale)| value / scale)
                .collect()
        })
        .collect();
    let step = 1.0 / (0.25 * largest_eigenvalue(rows, &scaled, priors.len()) + penalty);
    let mut current = means.clone();
    current.push(0.0);
    let mut ahead = current.clone();
    let mut momentum = 1.0_f64;
    for _ in 0..if total > 0.0 { STEPS } else { 0 } {
        let gradient = gradient(rows, &scaled, &ahead, &means, penalty);
        let next: Vec<f64> = (0..)
            .zip(ahead.iter().zip(&gradient))
            .map(|(index, (value, slope))| {
                let sign = priors.get(index).map_or(Sign::Any, |prior| prior.sign);
                sign.project(value - step * slope)
            })
            .collect();
        let faster = (1.0 + (1.0 + 4.0 * momentum * momentum).sqrt()) / 2.0;
        let push = (momentum - 1.0) / faster;
        ahead = next
            .iter()
            .zip(&current)
            .map(|(new, old)| new + push * (new - old))
            .collect();
        current = next;
        momentum = faster;
    }
    let bias = current.pop().unwrap_or(0.0);
    Line {
        bias,
        weights: current
            .iter()
            .zip(&scales)
            .map(|(weight, scale)| weight / scale)
            .collect(),
    }
}

/// Returns the root mean square of each value, so that the penalty treats all alike.
fn scales(rows: &[Row<'_>], width: usize) -> Vec<f64> {
    let mut squares = vec![0.0; width];
    for row in rows {
        for (square, value) in squares.iter_mut().zip(row.values) {
            *square += value * value;
        }
    }
    // A value that is almost never there must not get an enormous weight.
    squares
        .into_iter()
        .map(|square| (square / rows.len().max(1) as f64).sqrt().max(0.05))
        .collect()
}

/// Returns the gradient; the last entry is that of the bias, which has no penalty.
fn gradient(rows: &[Row<'_>], scaled: &[Vec<f64>], weights: &[f64], means: &[f64], penalty: f64) -> Vec<f64> {
    let (bias, weights) = weights
        .split_last()
        .map_or((0.0, weights), |(bias, rest)| (*bias, rest));
    let mut gradient: Vec<f64> = weights
        .iter()
        .zip(means)
        .map(|(weight, mean)| (weight - mean) * penalty)
        .collect();
    let mut of_bias = 0.0;
    for (row, values) in rows.iter().zip(scaled) {
        let sum = bias
            + values
                .iter()
                .zip(weights)
                .map(|(value, weight)| value * weight)
                .sum::<f64>();
        let error = row.weight * (logistic(sum) - f64::from(u8::from(row.positive)));
        of_bias += error;
        for (slope, value) in gradient.iter_mut().zip(values) {
            *slope += error * value;
        }
    }
    gradient.push(of_bias);
    gradient
}

/// Bounds the largest eigenvalue of the rows' second moments by power iteration, with a margin.
fn largest_eigenvalue(rows: &[Row<'_>], scaled: &[Vec<f64>], width: usize) -> f64 {
    let mut vector = vec![1.0; width + 1];
    let mut length = 1.0;
    for _ in 0..30 {
        let mut next = vec![0.0; width + 1];
        for (row, values) in rows.iter().zip(scaled) {
            let with_bias = || values.iter().chain(std::iter::once(&1.0));
            let product: f64 = with_bias().zip(&vector).map(|(value, part)| value * part).sum();
            for (part, value) in next.iter_mut().zip(with_bias()) {
                *part += row.weight * product * value;
            }
        }
        length = next.iter().map(|part| part * part).sum::<f64>().sqrt().max(1e-9);
        vector = next.into_iter().map(|part| part / length).collect();
    }
    length * 1.1
}
