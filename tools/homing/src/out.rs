// SPDX-License-Identifier: GPL-2.0

//! What is printed: aligned tables for people, JSON for programs, and one line for a failure.

use serde_json::json;
use serde_json::Value;
use std::fmt;
use std::io;
use std::io::Write;

/// Why a command failed, in one line that says what to do.
#[derive(Debug)]
pub struct Failure {
    text: String,
    closed_pipe: bool,
}

impl Failure {
    /// A failure with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Failure {
            text: text.into().replace('\n', " "),
            closed_pipe: false,
        }
    }

    /// Whether standard output was closed by its reader, which is no fault of ours.
    pub fn is_closed_pipe(&self) -> bool {
        self.closed_pipe
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<homing_nl::Error> for Failure {
    fn from(error: homing_nl::Error) -> Self {
        Failure::new(error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let closed_pipe = error.kind() == io::ErrorKind::BrokenPipe;
        Failure {
            text: error.to_string(),
            closed_pipe,
        }
    }
}

/// Where output goes and in which form.
pub struct Out {
    json: bool,
}

impl Out {
    /// JSON, or tables.
    pub fn new(json: bool) -> Self {
        Out { json }
    }

    /// Whether programs read along.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Prints text as it is.
    pub fn text(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        Ok(stdout.flush()?)
    }

    /// Prints the one or the other form.
    pub fn print(
        &self,
        json: impl FnOnce() -> Value,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        match self.json {
            true => self.text(&format!("{:#}\n", json())),
            false => self.text(&text()),
        }
    }

    /// Says that a change was made: nothing to people, a document to programs.
    pub fn done(&self) -> Result<(), Failure> {
        self.print(|| json!({ "ok": true }), String::new)
    }
}

/// Rows under a head, printed in aligned columns; columns of numbers are aligned to the right.
pub struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column heads.
    pub fn new(head: &[&'static str]) -> Self {
        Table {
            head: head.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; it has as many cells as the head. An empty cell is shown as a dash.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The lines, each with its newline; `none` alone when there is no row.
    pub fn render(&self, none: &str) -> String {
        if self.rows.is_empty() {
            return format!("{none}\n");
        }
        let columns: Vec<Vec<&str>> = (0..self.head.len())
            .map(|column| {
                self.rows
                    .iter()
                    .map(|row| match row.get(column).map_or("", String::as_str) {
                        "" => "-",
                        cell => cell,
                    })
                    .collect()
            })
            .collect();
        let mut lines = vec![String::new(); self.rows.len() + 1];
        for (head, cells) in self.head.iter().zip(&columns) {
            let width = cells
                .iter()
                .map(|cell| cell.chars().count())
                .chain([head.len()])
                .max()
                .unwrap_or(0);
            let numeric = cells.iter().all(|cell| is_number(cell));
            for (line, cell) in lines.iter_mut().zip([*head].iter().chain(cells)) {
                if !line.is_empty() {
                    line.push_str("  ");
                }
                match numeric {
                    true => line.push_str(&format!("{cell:>width$}")),
                    false => line.push_str(&format!("{cell:<width$}")),
                }
            }
        }
        lines
            .iter()
            .map(|line| format!("{}\n", line.trim_end()))
            .collect()
    }
}

/// Whether a cell is a number, perhaps in per cent, or empty.
fn is_number(cell: &str) -> bool {
    cell == "-"
        || cell
            .strip_suffix('%')
            .unwrap_or(cell)
            .parse::<f64>()
            .is_ok()
}

/// A number of seconds as people say it, to one unit: `45 s`, `12 min`, `3 h`, `2 d`.
pub fn duration(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_numbers_stand_right() {
        let mut table = Table::new(&["name", "id", "state"]);
        table.row(vec!["m1".into(), "1".into(), "up".into()]);
        table.row(vec!["longname".into(), "1023".into(), String::new()]);
        let text = table.render("none");
        assert_eq!(
            text,
            "name        id  state\nm1           1  up\nlongname  1023  -\n"
        );
    }

    #[test]
    fn an_empty_table_says_so() {
        assert_eq!(Table::new(&["a"]).render("no members"), "no members\n");
    }

    #[test]
    fn durations_have_one_unit() {
        let cases = [
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7200, "2 h"),
            (172_800, "2 d"),
        ];
        for (seconds, text) in cases {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn a_failure_is_one_line() {
        assert_eq!(Failure::new("a\nb").to_string(), "a b");
        let closed = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(closed.is_closed_pipe());
    }
}
