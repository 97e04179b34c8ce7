/* Writing byte arrays as lengths and bytes, and as prefixes, lengths and rests. */
#include <string.h>

#include "base/checked.h"
#include "codec/delta_bytes.h"

/* Lengths are gathered in memory of `out`'s pool for the time of the call. */
static stoa_status append_lengths(const int32_t *lengths, size_t count, stoa_buffer *out,
                                  stoa_error *err) {
    STOA_TRY(stoa_buffer_reserve(out, stoa_delta_bytes_max(count, (int)sizeof *lengths), err));
    out->size += stoa_delta_encode_i32(lengths, count, out->data + out->size);
    return STOA_OK;
}

static stoa_status append_bytes(const stoa_bytes_view *values, const int32_t *prefixes,
                                size_t count, stoa_buffer *out, stoa_error *err) {
    for (size_t i = 0; i < count; i++) {
        const size_t prefix = prefixes != NULL ? (size_t)prefixes[i] : 0;
        if (values[i].size > prefix) {
            STOA_TRY(
                stoa_buffer_append(out, values[i].data + prefix, values[i].size - prefix, err));
        }
    }
    return STOA_OK;
}

static size_t shared_bytes(const stoa_bytes_view *left, const stoa_bytes_view *right) {
    const size_t most = left->size < right->size ? left->size : right->size;
    size_t shared = 0;
    while (shared < most && left->data[shared] == right->data[shared]) {
        shared++;
    }
    return shared;
}

static stoa_status encode(const stoa_bytes_view *values, size_t count, bool with_prefixes,
                          stoa_buffer *out, stoa_error *err) {
    stoa_status status = STOA_OK;
    const size_t start = out->size;
    int32_t *lengths = NULL;
    int32_t *prefixes = NULL;
    stoa_buffer memory;
    size_t bytes;

    stoa_buffer_init(&memory, out->pool);
    if (!stoa_mul_size(count, 2 * sizeof *lengths, &bytes)) {
        return stoa_fail(err, STOA_LIMIT, "%zu values are more than memory holds", count);
    }
    STOA_CHECK(stoa_buffer_reserve_exact(&memory, bytes + 1, err));
    lengths = (int32_t *)(void *)memory.data;
    prefixes = with_prefixes ? lengths + count : NULL;
    for (size_t i = 0; i < count; i++) {
        STOA_ASSERT(values[i].size <= INT32_MAX);
        const size_t prefix = with_prefixes && i > 0 ? shared_bytes(&values[i - 1], &values[i]) : 0;
        lengths[i] = (int32_t)(values[i].size - prefix);
        if (with_prefixes) {
            prefixes[i] = (int32_t)prefix;
        }
    }
    if (with_prefixes) {
        STOA_CHECK(append_lengths(prefixes, count, out, err));
    }
    STOA_CHECK(append_lengths(lengths, count, out, err));
    STOA_CHECK(append_bytes(values, prefixes, count, out, err));

done:
    if (status != STOA_OK) {
        out->size = start;
    }
    stoa_buffer_release(&memory);
    return status;
}

stoa_status stoa_delta_lengths_encode(const stoa_bytes_view *values, size_t count, stoa_buffer *out,
                                      stoa_error *err) {
    return encode(values, count, false, out, err);
}

stoa_status stoa_delta_bytes_encode(const stoa_bytes_view *values, size_t count, stoa_buffer *out,
                                    stoa_error *err) {
    return encode(values, count, true, out, err);
}
