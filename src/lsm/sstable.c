/* Reading SSTables: what they are, their bounds and their filter. */
#include <stoa/log.h>

#include "base/bytes.h"
#include "lsm/key_bytes.h"
#include "lsm/sstable_internal.h"

const stoa_sst_summary *stoa_sst_summary_of(const stoa_sst *table) {
    return &table->summary;
}

stoa_file *stoa_sst_file(const stoa_sst *table) {
    return table->file;
}

uint64_t stoa_sst_mark(const stoa_sst *table) {
    const uint64_t from = table->sections[0].offset;
    return stoa_hash64(table->bytes + from, (size_t)(table->size - from));
}

stoa_compression stoa_sst_codec(const stoa_sst *table) {
    return table->decompression.codec;
}

uint64_t stoa_sst_memory_bytes(const stoa_sst *table) {
    return atomic_load_explicit(&table->decompression.bytes, memory_order_relaxed);
}

const stoa_stripe *stoa_sst_stripe_at(const stoa_sst *table, int64_t stripe) {
    return &table->members[stripe].stripe;
}

const stoa_sst_member *stoa_sst_member_at(const stoa_sst *table, int64_t stripe) {
    return &table->members[stripe];
}

stoa_status stoa_sst_check_map(const stoa_sst *table, stoa_error *err) {
    if (!table->is_mapped || (table->map_mark != NULL && stoa_map_mark_is_clear(table->map_mark))) {
        return STOA_OK;
    }
    return stoa_file_map_check(table->file, err);
}

const stoa_zone *stoa_sst_zone(const stoa_sst *table, int64_t stripe, int32_t column) {
    return table->layout->column_nodes[column] < 0 ? NULL : &table->members[stripe].zones[column];
}

const stoa_stripe_layout *stoa_sst_stored_layout(const stoa_sst *table) {
    return table->stored;
}

const stoa_range_set *stoa_sst_ranges(const stoa_sst *table) {
    return &table->ranges;
}

/* ---- Bounds ---------------------------------------------------------------------------------- */

/* Less than every other bound of the same side so far, or greater. */
static stoa_status widen(stoa_buffer *bound, bool is_first, bool is_lower, const uint8_t *key,
                         size_t size, stoa_error *err) {
    const int order = stoa_bytes_compare(key, size, bound->data, bound->size);
    if (!is_first && (is_lower ? order >= 0 : order <= 0)) {
        return STOA_OK;
    }
    stoa_buffer_clear(bound);
    return stoa_buffer_append(bound, key, size, err);
}

/* The greatest bytes before `to` that a key can have. Keys of one length are counted down; others may go
 * on after a byte that is one less. `*out_exists` is false where nothing is before it. */
static stoa_status last_before(const stoa_key_format *format, const stoa_key_range *range,
                               stoa_buffer *out, bool *out_exists, stoa_error *err) {
    const size_t fixed = (size_t)format->fixed_bytes;
    const size_t longest = fixed > 0 ? fixed : STOA_KEY_BYTES_MAX;
    *out_exists = true;
    stoa_buffer_clear(out);
    if (range->to_end) {
        return stoa_buffer_append_fill(out, 0xFF, longest, err);
    }
    if (fixed > 0 && range->to_size > fixed) {
        return stoa_buffer_append(out, range->to, fixed, err);
    }
    STOA_TRY(stoa_buffer_append(out, range->to, range->to_size, err));
    if (fixed == 0 && out->size > 0 && out->data[out->size - 1] == 0) {
        out->size--;
        return STOA_OK;
    }
    while (out->size > 0 && out->data[out->size - 1] == 0) {
        out->size--;
    }
    *out_exists = out->size > 0;
    if (out->size == 0) {
        return STOA_OK;
    }
    out->data[out->size - 1]--;
    return stoa_buffer_append_fill(out, 0xFF, longest - out->size, err);
}

static stoa_status widen_by_range(const stoa_sst *table, const stoa_key_range *range, bool is_first,
                                  stoa_buffer *scratch, stoa_buffer *first, stoa_buffer *last,
                                  bool *out_counts, stoa_error *err) {
    STOA_TRY(last_before(table->layout->key, range, scratch, out_counts, err));
    *out_counts = *out_counts && stoa_bytes_compare(range->from, range->from_size, scratch->data,
                                                    scratch->size) <= 0;
    if (!*out_counts) {
        return STOA_OK;
    }
    STOA_TRY(widen(first, is_first, true, range->from, range->from_size, err));
    return widen(last, is_first, false, scratch->data, scratch->size, err);
}

stoa_status stoa_sst_bounds(const stoa_sst *table, stoa_buffer *first, stoa_buffer *last,
                            stoa_error *err) {
    const int64_t count = table->summary.stripe_count;
    bool is_first = count == 0;
    stoa_status status = STOA_OK;
    stoa_buffer scratch;
    stoa_buffer_init(&scratch, table->context.pool);
    stoa_buffer_clear(first);
    stoa_buffer_clear(last);
    if (count > 0) {
        const stoa_sst_member *end = &table->members[count - 1];
        STOA_CHECK(stoa_buffer_append(first, table->members[0].first_key,
                                      table->members[0].first_key_size, err));
        STOA_CHECK(stoa_buffer_append(last, end->last_key, end->last_key_size, err));
    }
    for (int64_t i = 0; i < table->ranges.count; i++) {
        bool counts;
        STOA_CHECK(widen_by_range(table, &table->ranges.ranges[i], is_first, &scratch, first, last,
                                  &counts, err));
        is_first = is_first && !counts;
    }

done:
    stoa_buffer_release(&scratch);
    return status;
}

/* ---- The filter ------------------------------------------------------------------------------ */

static uint8_t check_filter(stoa_sst *table) {
    stoa_error err;
    const stoa_sst_section *section = stoa_sst_section_of(table, STOA_SST_FILTER);
    uint8_t state = STOA_SST_FILTER_SOUND;
    if (section == NULL || table->filter.blocks == NULL) {
        state = STOA_SST_FILTER_UNUSABLE;
    } else if (stoa_sst_section_check(table, section, &err) != STOA_OK) {
        stoa_log(table->context.logger, STOA_LOG_WARN, "lsm", "'%s' is read without its filter: %s",
                 stoa_file_uri(table->file), err.message);
        state = STOA_SST_FILTER_UNUSABLE;
    }
    atomic_store_explicit(&table->filter_state, state, memory_order_relaxed);
    return state;
}

bool stoa_sst_may_contain(stoa_sst *table, uint64_t hash) {
    /* Two threads may check at once, and find the same. */
    uint8_t state = atomic_load_explicit(&table->filter_state, memory_order_relaxed);
    if (state == STOA_SST_FILTER_UNCHECKED) {
        state = check_filter(table);
    }
    return state != STOA_SST_FILTER_SOUND || stoa_bloom_may_contain(&table->filter, hash);
}

stoa_status stoa_sst_wrap(const stoa_sst *table, int64_t stripe, stoa_status status,
                          stoa_error *err) {
    stoa_wrap(err, "'%s', stripe %" PRId64, stoa_file_uri(table->file), stripe);
    return status;
}

void stoa_sst_set_sequence(stoa_sst *table, uint64_t sequence) {
    STOA_ASSERT(table->is_numbered || table->summary.sequence_max == 0);
    STOA_ASSERT(table->ranges.count == 0);
    table->is_numbered = true;
    table->summary.sequence_min = table->summary.sequence_max = sequence;
    for (int64_t i = 0; i < table->summary.stripe_count; i++) {
        table->members[i].sequence_min = table->members[i].sequence_max = sequence;
    }
}
