//! The columns of a Parquet file.

use std::fs::File;
use std::sync::Arc;

use jiff::Timestamp;
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::Result;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use telex_model::{ArticleId, Tagged};

/// A message: an article with its JSON, or that one was withdrawn.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) id: ArticleId,
    pub(super) article: Option<(Box<Tagged>, String)>,
}

/// Rows of a group: what a reader holds in memory, some 10 MB.
const GROUP: usize = 2_000;

/// `number` and `line` count the messages in the order in which they were stored.
const SCHEMA: &str = "message article {
    REQUIRED INT64 number;
    REQUIRED INT64 line;
    REQUIRED BINARY id (STRING);
    REQUIRED BOOLEAN retracted;
    OPTIONAL INT64 revision;
    OPTIONAL BINARY topics_version (STRING);
    OPTIONAL BINARY url (STRING);
    OPTIONAL BINARY canonical_url (STRING);
    OPTIONAL BINARY title (STRING);
    OPTIONAL BINARY text (STRING);
    REPEATED BINARY authors (STRING);
    OPTIONAL INT64 published (TIMESTAMP(MICROS,true));
    OPTIONAL INT64 modified (TIMESTAMP(MICROS,true));
    OPTIONAL INT64 first_seen (TIMESTAMP(MICROS,true));
    OPTIONAL BINARY language (STRING);
    OPTIONAL BINARY kind (STRING);
    OPTIONAL BINARY domain (STRING);
    OPTIONAL BINARY feed (STRING);
    OPTIONAL DOUBLE quality;
    OPTIONAL BINARY fingerprint (STRING);
    OPTIONAL BINARY lead_image (STRING);
    REPEATED BINARY tags (STRING);
    REPEATED DOUBLE scores;
    OPTIONAL BINARY message (STRING);
}";

/// Writes lines, of which each has its place among all of the same number.
pub(super) fn write(file: File, number: u64, lines: &[(usize, &Line)]) -> Result<File> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_created_by(concat!("telex ", env!("CARGO_PKG_VERSION")).to_owned())
        .build();
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties))?;
    for lines in lines.chunks(GROUP) {
        let mut group = Group {
            lines,
            writer: writer.next_row_group()?,
        };
        group.write(number)?;
        group.writer.close()?;
    }
    writer.into_inner()
}

/// Rows on their way into a file.
struct Group<'a> {
    lines: &'a [(usize, &'a Line)],
    writer: SerializedRowGroupWriter<'a, File>,
}

impl Group<'_> {
    /// Writes the columns, in the order of the schema.
    fn write(&mut self, number: u64) -> Result<()> {
        self.required::<Int64Type>(|_, _| i64::try_from(number).unwrap_or(i64::MAX))?;
        self.required::<Int64Type>(|line, _| i64::try_from(line).unwrap_or(i64::MAX))?;
        self.required::<ByteArrayType>(|_, line| text(&line.id.to_string()))?;
        self.required::<BoolType>(|_, line| line.article.is_none())?;
        self.optional::<Int64Type>(|a| Some(i64::from(a.revision)))?;
        self.optional::<ByteArrayType>(|a| Some(text(&a.topics_version)))?;
        self.optional::<ByteArrayType>(|a| Some(text(&a.url)))?;
        self.optional::<ByteArrayType>(|a| a.canonical_url.as_deref().map(text))?;
        self.optional::<ByteArrayType>(|a| Some(text(&a.title)))?;
        self.optional::<ByteArrayType>(|a| Some(text(&a.text)))?;
        self.repeated::<ByteArrayType>(|a| a.authors.iter().map(|t| text(t)).collect())?;
        self.optional::<Int64Type>(|a| a.published.map(Timestamp::as_microsecond))?;
        self.optional::<Int64Type>(|a| a.modified.map(Timestamp::as_microsecond))?;
        self.optional::<Int64Type>(|a| Some(a.first_seen.as_microsecond()))?;
        self.optional::<ByteArrayType>(|a| a.language.as_deref().map(text))?;
        self.optional::<ByteArrayType>(|a| Some(text(crate::sqlite::kind_name(a.kind))))?;
        self.optional::<ByteArrayType>(|a| Some(text(&a.source.domain)))?;
        self.optional::<ByteArrayType>(|a| Some(text(&a.source.feed_url)))?;
        self.optional::<DoubleType>(|a| Some(a.quality))?;
        self.optional::<ByteArrayType>(|a| a.fingerprint.as_deref().map(text))?;
        self.optional::<ByteArrayType>(|a| a.lead_image.as_deref().map(text))?;
        self.repeated::<ByteArrayType>(|a| a.tags.iter().map(|t| text(&t.topic)).collect())?;
        self.repeated::<DoubleType>(|a| a.tags.iter().map(|t| t.score).collect())?;
        let json: Vec<Option<ByteArray>> = self
            .lines
            .iter()
            .map(|(_, line)| line.article.as_ref().map(|(_, json)| text(json)))
            .collect();
        self.column::<ByteArrayType>(json)
    }

    fn required<T: DataType>(&mut self, of: impl Fn(usize, &Line) -> T::T) -> Result<()> {
        let values: Vec<T::T> = self.lines.iter().map(|(n, line)| of(*n, line)).collect();
        self.levels::<T>(&values, None, None)
    }

    fn optional<T: DataType>(&mut self, of: impl Fn(&Tagged) -> Option<T::T>) -> Result<()> {
        let values = self
            .lines
            .iter()
            .map(|(_, line)| line.article.as_ref().and_then(|(article, _)| of(article)));
        let values = values.collect();
        self.column::<T>(values)
    }

    fn column<T: DataType>(&mut self, values: Vec<Option<T::T>>) -> Result<()> {
        let defined: Vec<i16> = values.iter().map(|v| i16::from(v.is_some())).collect();
        let values: Vec<T::T> = values.into_iter().flatten().collect();
        self.levels::<T>(&values, Some(&defined), None)
    }

    /// Lists: of each the first value begins a row (repetition 0); of an empty one only that is written.
    fn repeated<T: DataType>(&mut self, of: impl Fn(&Tagged) -> Vec<T::T>) -> Result<()> {
        let (mut values, mut defined, mut repeats) = (Vec::new(), Vec::new(), Vec::new());
        for (_, line) in self.lines {
            let list = line.article.as_ref().map(|(article, _)| of(article));
            let list = list.unwrap_or_default();
            defined.extend(std::iter::repeat_n(1, list.len()));
            repeats.extend((0..list.len()).map(|n| i16::from(n > 0)));
            if list.is_empty() {
                defined.push(0);
                repeats.push(0);
            }
            values.extend(list);
        }
        self.levels::<T>(&values, Some(&defined), Some(&repeats))
    }

    fn levels<T: DataType>(
        &mut self,
        values: &[T::T],
        defined: Option<&[i16]>,
        repeats: Option<&[i16]>,
    ) -> Result<()> {
        let column = self.writer.next_column()?;
        let Some(mut column) = column else {
            return Err(parquet::errors::ParquetError::General(
                "the schema has no such column".to_owned(),
            ));
        };
        column.typed::<T>().write_batch(values, defined, repeats)?;
        column.close()
    }
}

fn text(given: &str) -> ByteArray {
    ByteArray::from(given.as_bytes().to_vec())
}
