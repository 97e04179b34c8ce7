/* Builders: values in, one immutable array out. One builder for each node of a schema's tree. */
#ifndef STOA_ARROW_BUILDER_H
#define STOA_ARROW_BUILDER_H

#include <stoa/arrow.h>

#include "arrow/layout.h"
#include "mem/buffer.h"

typedef struct stoa_builder stoa_builder;

/// Makes a builder for every type of stoa_arrow_kind but unions and run ends. A dictionary-encoded
/// field takes values and assigns indices: equal values get one, nested values each their own.
///
/// Errors   STOA_UNSUPPORTED  a union or run ends
/// Owns     Copies the schema. The caller closes the root; children belong to it.
///
/// Of all appends: one that fails with STOA_INVALID for its value leaves the builder as it was; after
/// any other failure, and after a failure of a nested append, the builder is only good to be closed.
/// An array holds at most 2 GiB of bytes or items per node of 32-bit offsets (STOA_LIMIT beyond).
STOA_MUST_USE stoa_status stoa_builder_create(stoa_pool *pool, const struct ArrowSchema *schema,
                                              stoa_builder **out, stoa_error *err);
void stoa_builder_close(stoa_builder *builder);

/// Children: of a list the items, of a map one struct of key and value, of a
/// dictionary of nested values the children of those.
int64_t stoa_builder_child_count(const stoa_builder *builder);
stoa_builder *stoa_builder_child(stoa_builder *builder, int64_t index);

STOA_MUST_USE stoa_status stoa_builder_reserve(stoa_builder *builder, int64_t additional,
                                               stoa_error *err);
/// A null, for structs with nulls in all children. Also for a non-nullable field: nullability is
/// for stoa_batch_validate to judge.
STOA_MUST_USE stoa_status stoa_builder_append_null(stoa_builder *builder, stoa_error *err);
STOA_MUST_USE stoa_status stoa_builder_append_bool(stoa_builder *builder, bool value,
                                                   stoa_error *err);
/// For all integers, dates, times, timestamps, durations, months and decimals (unscaled); floats
/// take it when they hold it exactly.
///
/// Errors   STOA_INVALID  the value does not fit the type
STOA_MUST_USE stoa_status stoa_builder_append_i64(stoa_builder *builder, int64_t value,
                                                  stoa_error *err);
STOA_MUST_USE stoa_status stoa_builder_append_u64(stoa_builder *builder, uint64_t value,
                                                  stoa_error *err);
/// For floats, rounded to what they hold.
///
/// Errors   STOA_INVALID  a finite value is out of range, or the type is no float
STOA_MUST_USE stoa_status stoa_builder_append_f64(stoa_builder *builder, double value,
                                                  stoa_error *err);
/// The unscaled value of a decimal, checked against its precision.
STOA_MUST_USE stoa_status stoa_builder_append_i128(stoa_builder *builder, __int128 value,
                                                   stoa_error *err);
/// The bytes of a string, binary or fixed value, and the raw little-endian bytes of any other
/// fixed-width value. UTF-8 is for stoa_arrow_validate to judge.
STOA_MUST_USE stoa_status stoa_builder_append_bytes(stoa_builder *builder, const void *bytes,
                                                    size_t size, stoa_error *err);
/// Ends one list, map or struct value after its items or fields were appended to the children. Each
/// entry of a map is a struct value to be ended too.
///
/// Errors   STOA_INVALID  a child holds too few values; finish also refuses too many
STOA_MUST_USE stoa_status stoa_builder_finish_value(stoa_builder *builder, stoa_error *err);
/// Ends `count` values of a struct at once, for batches that are filled column by column.
STOA_MUST_USE stoa_status stoa_builder_finish_rows(stoa_builder *builder, int64_t count,
                                                   stoa_error *err);
/// `count` values of `source` from `offset` on, of the same type and valid. A dictionary builder
/// takes plain values too.
STOA_MUST_USE stoa_status stoa_builder_append_array(stoa_builder *builder,
                                                    const struct ArrowArray *source,
                                                    int64_t offset, int64_t count, stoa_error *err);

/// Moves the values out; the builder is empty again and keeps its type. On error nothing moved.
///
/// Errors   STOA_INVALID  a nested value was not ended
STOA_MUST_USE stoa_status stoa_builder_finish(stoa_builder *builder, struct ArrowArray *out,
                                              stoa_error *err);

#endif
