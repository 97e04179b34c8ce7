/* Reading SSTables: what they are, and the search for a key. */
#include <stoa/log.h>

#include "base/bytes.h"
#include "lsm/key_bytes.h"
#include "lsm/sstable_internal.h"

const stoa_sst_summary *stoa_sst_summary_of(const stoa_sst *table) {
    return &table->summary;
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

/* ---- Search ---------------------------------------------------------------------------------- */

/* The first of `count` growing numbers that is not less than `number`. Nothing to predict: each step is a
 * conditional move. */
static int64_t lower_bound(const uint64_t *numbers, int64_t count, uint64_t number) {
    const uint64_t *base = numbers;
    if (count == 0) {
        return 0;
    }
    while (count > 1) {
        const int64_t half = count / 2;
        base += base[half - 1] < number ? half : 0;
        count -= half;
    }
    return base - numbers + (*base < number);
}

/* Keys of any length are compared by 8 bytes behind what all of the table begin with; those that agree in
 * these, as a whole. */
static int64_t find_stripe_of_bytes(const stoa_sst *table, const uint8_t *key, size_t size) {
    const size_t common = table->common_size < size ? table->common_size : size;
    const int order = common == 0 ? 0 : memcmp(table->members[0].first_key, key, common);
    if (order != 0 || size < table->common_size) {
        return order < 0 ? table->summary.stripe_count : 0;
    }
    const uint64_t prefix = stoa_key_prefix(key + common, size - common);
    int64_t low = lower_bound(table->last_numbers, table->summary.stripe_count, prefix);
    const int64_t behind = table->summary.stripe_count - low;
    int64_t count = prefix == UINT64_MAX
                        ? behind
                        : lower_bound(table->last_numbers + low, behind, prefix + 1);
    while (count > 0) {
        const int64_t middle = low + count / 2;
        const stoa_sst_member *member = &table->members[middle];
        if (stoa_bytes_compare(member->last_key, member->last_key_size, key, size) < 0) {
            low = middle + 1;
            count -= count / 2 + 1;
        } else {
            count /= 2;
        }
    }
    return low;
}

int64_t stoa_sst_find_stripe(const stoa_sst *table, const uint8_t *key, size_t size,
                             uint64_t number) {
    if (table->layout->key->is_number) {
        return lower_bound(table->last_numbers, table->summary.stripe_count, number);
    }
    return table->summary.stripe_count == 0 ? 0 : find_stripe_of_bytes(table, key, size);
}

stoa_status stoa_sst_wrap(const stoa_sst *table, int64_t stripe, stoa_status status,
                          stoa_error *err) {
    stoa_wrap(err, "'%s', stripe %" PRId64, stoa_file_uri(table->file), stripe);
    return status;
}

stoa_status stoa_sst_find_row(const stoa_sst *table, const uint8_t *key, size_t size,
                              uint64_t number, stoa_sst_position *position, stoa_error *err) {
    const stoa_sst_member *member = &table->members[position->stripe];
    stoa_status status = table->layout->key->is_number
                             ? stoa_stripe_find_number(&member->stripe, number, &position->row, err)
                             : stoa_stripe_find_bytes(&member->stripe, key, size, &position->row,
                                                      err);
    if (status == STOA_OK && position->row == member->stripe.row_count) {
        status = stoa_sst_corrupt(table, member->offset, "a last key that is not in its stripe",
                                  err);
    }
    return status == STOA_OK ? STOA_OK : stoa_sst_wrap(table, position->stripe, status, err);
}

stoa_status stoa_sst_find(const stoa_sst *table, const uint8_t *key, size_t size,
                          stoa_sst_position *out, stoa_error *err) {
    const stoa_key_format *format = table->layout->key;
    uint64_t number = 0;
    if (format->is_number) {
        STOA_ASSERT(size <= (size_t)format->fixed_bytes);
        number = stoa_key_get_number(key, (int32_t)size)
                 << 8 * (format->fixed_bytes - (int)size) % 64;
    }
    *out = (stoa_sst_position){stoa_sst_find_stripe(table, key, size, number), 0};
    if (out->stripe < table->summary.stripe_count) {
        STOA_TRY(stoa_sst_find_row(table, key, size, number, out, err));
    }
    return stoa_sst_check_map(table, err);
}
