/* Names of folders that carry a value, as Hive and Spark write and read them: "column=value".
 *
 * Characters that have a meaning in a path or in a pattern stand as %XX; a null, and an empty string,
 * is __HIVE_DEFAULT_PARTITION__.
 *
 * Source   Apache Spark, escapePathName and unescapePathName; Apache Hive, FileUtils */
#ifndef STOA_SCHEMA_HIVE_PATH_H
#define STOA_SCHEMA_HIVE_PATH_H

#include "mem/buffer.h"
#include "schema/predicate.h"

#define STOA_HIVE_NULL "__HIVE_DEFAULT_PARTITION__"

/// Appends `text` with all characters escaped that Hive and Spark escape.
STOA_MUST_USE stoa_status stoa_hive_escape(const char *text, size_t size, stoa_buffer *out,
                                           stoa_error *err);
/// The way back. A '%' without two digits behind it stands for itself.
STOA_MUST_USE stoa_status stoa_hive_unescape(const char *text, size_t size, stoa_buffer *out,
                                             stoa_error *err);

/// A value as Spark casts it to a string, not escaped: "2024-01-01 10:00:00.5", "1.0E10", "true".
/// Timestamps with a zone are in UTC, without a sign of it. `value` is not null.
STOA_MUST_USE stoa_status stoa_hive_value_print(const stoa_value *value, stoa_buffer *out,
                                                stoa_error *err);
/// Whether values of the type have such a text.
bool stoa_hive_type_has_text(const stoa_type *type);

#endif
