/* Byte arrays that belong to somebody else, and gathering them into one piece. */
#ifndef STOA_CODEC_VIEWS_H
#define STOA_CODEC_VIEWS_H

#include <stddef.h>
#include <stdint.h>

/// Bytes that belong to somebody else.
typedef struct stoa_bytes_view {
    const uint8_t *data;
    size_t size;
} stoa_bytes_view;

/// The sum of the sizes, or SIZE_MAX when it is above `limit`: many views may show the same bytes, so
/// the sum has no other bound.
size_t stoa_views_bytes(const stoa_bytes_view *views, size_t count, size_t limit);

/// Copies the bytes of all views to `out` and says where each ends: ends[i] is `offset` plus what the
/// first i + 1 views take, as Arrow's offsets are. Nothing is written behind the last byte. All ends
/// fit their type; the caller has asked stoa_views_bytes.
void stoa_views_gather_i32(const stoa_bytes_view *views, size_t count, int32_t offset,
                           int32_t *ends, uint8_t *out);
void stoa_views_gather_i64(const stoa_bytes_view *views, size_t count, int64_t offset,
                           int64_t *ends, uint8_t *out);

enum { STOA_SHORT_BYTES = 32 };

/// The entries of `count` codes, the same way. No entry has more than `size_max` bytes, at most
/// STOA_SHORT_BYTES, and as many can be read wherever one begins; `out` has room for STOA_SHORT_BYTES
/// behind the last byte. So every copy has one fixed size.
void stoa_codes_gather_short_i32(const stoa_bytes_view *entries, size_t size_max,
                                 const uint32_t *codes, size_t count, int32_t offset, int32_t *ends,
                                 uint8_t *out);

#endif
