/* Both lists grow, so one pass over both is enough. */
#include "parquet/row_ranges.h"

stoa_row_ranges_view stoa_row_ranges_of(const stoa_buffer *ranges) {
    return (stoa_row_ranges_view){(const stoa_parquet_row_range *)(const void *)ranges->data,
                                  (int32_t)(ranges->size / sizeof(stoa_parquet_row_range))};
}

stoa_status stoa_row_ranges_append(stoa_buffer *out, int64_t first, int64_t count,
                                   stoa_error *err) {
    const stoa_parquet_row_range range = {first, count};
    if (count == 0) {
        return STOA_OK;
    }
    if (out->size > 0) {
        stoa_parquet_row_range *last =
            (stoa_parquet_row_range *)(void *)(out->data + out->size - sizeof range);
        STOA_ASSERT(first >= last->first + last->count);
        if (first == last->first + last->count) {
            last->count += count;
            return STOA_OK;
        }
    }
    return stoa_buffer_append(out, &range, sizeof range, err);
}

stoa_status stoa_row_ranges_intersect(stoa_row_ranges_view left, stoa_row_ranges_view right,
                                      stoa_buffer *out, stoa_error *err) {
    for (int32_t l = 0, r = 0; l < left.count && r < right.count;) {
        const stoa_parquet_row_range *a = &left.ranges[l];
        const stoa_parquet_row_range *b = &right.ranges[r];
        const int64_t first = a->first > b->first ? a->first : b->first;
        const int64_t a_end = a->first + a->count;
        const int64_t b_end = b->first + b->count;
        const int64_t end = a_end < b_end ? a_end : b_end;
        if (first < end) {
            STOA_TRY(stoa_row_ranges_append(out, first, end - first, err));
        }
        if (a_end <= b_end) {
            l++;
        } else {
            r++;
        }
    }
    return STOA_OK;
}

stoa_status stoa_row_ranges_unite(stoa_row_ranges_view left, stoa_row_ranges_view right,
                                  stoa_buffer *out, stoa_error *err) {
    stoa_parquet_row_range open = {0};
    for (int32_t l = 0, r = 0; l < left.count || r < right.count;) {
        const bool takes_left = r == right.count ||
                                (l < left.count && left.ranges[l].first < right.ranges[r].first);
        const stoa_parquet_row_range *next = takes_left ? &left.ranges[l++] : &right.ranges[r++];
        if (next->first > open.first + open.count) {
            STOA_TRY(stoa_row_ranges_append(out, open.first, open.count, err));
            open = *next;
        } else if (next->first + next->count > open.first + open.count) {
            open.count = next->first + next->count - open.first;
        }
    }
    return stoa_row_ranges_append(out, open.first, open.count, err);
}
