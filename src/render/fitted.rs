//! Lines no wider than a window: columns leave as a whole, names are shortened, and no figure is
//! ever cut in two.

/// One column. Figures stand on the right, and text on the left.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// What it is called.
    pub name: &'static str,
    /// How wide it is at least.
    pub width: usize,
    /// Whether it is a figure.
    pub is_figure: bool,
    /// Whether a longer text may be shortened to the width.
    pub is_elastic: bool,
    /// Where there is no room for all, the highest leaves first; 0 stays.
    pub leaves: u8,
}

impl Column {
    /// Of text.
    pub const fn text(width: usize, leaves: u8) -> Column {
        Column { name: "", width, is_figure: false, is_elastic: false, leaves }
    }

    /// Of text that may be shortened to that width.
    pub const fn elastic(width: usize) -> Column {
        Column { is_elastic: true, ..Column::text(width, 0) }
    }

    /// Of figures.
    pub const fn figure(name: &'static str, width: usize, leaves: u8) -> Column {
        Column { name, is_figure: true, ..Column::text(width, leaves) }
    }
}

/// Between two columns.
const GAP: usize = 2;

/// The names of the columns and the rows, each a line of that width at most; what has no room at
/// all is left to [`cut`].
pub fn table(columns: &[Column], rows: &[Vec<String>], width: usize) -> Vec<String> {
    let natural = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
        cells.max().unwrap_or_default().max(columns[at].width)
    };
    let mut shown: Vec<usize> = (0..columns.len()).collect();
    let mut spare;
    loop {
        let least = |at: &usize| match columns[*at].is_elastic {
            true => columns[*at].width,
            false => natural(*at),
        };
        let needed = 1 + shown.iter().map(least).sum::<usize>() + GAP * (shown.len() - 1);
        spare = width.saturating_sub(needed);
        let next = shown.iter().copied().max_by_key(|at| columns[*at].leaves);
        match next.filter(|at| needed > width && columns[*at].leaves > 0) {
            Some(next) => shown.retain(|at| *at != next),
            None => break,
        }
    }
    let names: Vec<String> = columns.iter().map(|it| it.name.to_owned()).collect();
    let line = |row: &Vec<String>| {
        let cells = shown.iter().filter_map(|at| Some((columns[*at], natural(*at), row.get(*at)?)));
        let cells: Vec<String> = cells
            .map(|(column, natural, cell)| {
                let width = match column.is_elastic {
                    true => natural.min(column.width + spare),
                    false => natural,
                };
                match column.is_figure {
                    true => format!("{cell:>width$}"),
                    false => format!("{:<width$}", cut(cell, width)),
                }
            })
            .collect();
        format!(" {}", cells.join(&" ".repeat(GAP)))
    };
    [&names].into_iter().chain(rows).map(line).collect()
}

/// The text in that width; what is left of a longer one says so.
pub fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(width.saturating_sub(1)).collect();
    if width > 0 {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_leave_in_their_order_and_names_are_shortened() {
        let columns = [
            Column::text(3, 1),
            Column::elastic(4),
            Column::figure("A", 3, 2),
            Column::figure("B", 3, 3),
        ];
        let row = ["day", "a-long-name", "1,234", "56"].map(str::to_owned).to_vec();
        let drawn = |width| table(&columns, std::slice::from_ref(&row), width).pop().unwrap();
        for (width, line) in [
            (40, " day  a-long-name  1,234   56"),
            (29, " day  a-long-name  1,234   56"),
            (28, " day  a-long-na…  1,234   56"),
            (22, " day  a-l…  1,234   56"),
            (21, " day  a-long-…  1,234"),
            (17, " day  a-l…  1,234"),
            (16, " day  a-long-na…"),
            (9, " a-long-…"),
            (3, " a-l…"),
        ] {
            assert_eq!(drawn(width), line, "{width}");
        }
        assert_eq!(table(&columns, &[], 40), [" ".repeat(14) + "A    B"]);
    }

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!(
            ["", "…", "a…", "abc"].map(str::to_owned),
            [0, 1, 2, 3].map(|it| cut("abc", it))
        );
    }
}
