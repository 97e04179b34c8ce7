/* A commit as the payload of a record of the log. docs/formats/wal.md describes the bytes. */
#ifndef STOA_LSM_COMMIT_RECORD_H
#define STOA_LSM_COMMIT_RECORD_H

#include "lsm/range_set.h"
#include "lsm/stripe.h"

enum { STOA_COMMIT_HEAD_BYTES = 16, STOA_COMMIT_PART_BYTES = 24 };

/* What a part holds: rows (a stoa_operation), or a range of deleted keys. */
enum { STOA_COMMIT_RANGE = 3 };
enum { STOA_COMMIT_SCHEMAS = 1 << 24 }; /* ids of schemas are told apart modulo so many */

/* One operation of a commit. Its rows have consecutive sequence numbers, a range has one. */
typedef struct stoa_commit_part {
    uint8_t kind;
    uint32_t schema_id; /* of the schema that the rows lie by, its last 24 bits */
    uint32_t count;     /* of rows; 1 for a range */
    int64_t table_id;
    uint64_t first_sequence;
    const uint8_t *bytes;
    size_t size;
} stoa_commit_part;

/// Return the end of what was written.
uint8_t *stoa_commit_head_write(uint8_t *out, uint64_t first_sequence, uint32_t part_count);
/// Of a part whose bytes follow.
uint8_t *stoa_commit_part_write(uint8_t *out, const stoa_commit_part *part);

size_t stoa_commit_range_size(const stoa_key_range *range);
uint8_t *stoa_commit_range_write(uint8_t *out, const stoa_key_range *range);
/// Borrows the keys from the bytes.
STOA_MUST_USE stoa_status stoa_commit_range_read(const stoa_commit_part *part, stoa_key_range *out,
                                                 stoa_error *err);

/// Calls for every part of a payload, in order.
///
/// Errors   STOA_CORRUPT  with `err->offset` in the payload; what the function answers
typedef stoa_status (*stoa_commit_function)(void *user, const stoa_commit_part *part,
                                            stoa_error *err);
STOA_MUST_USE stoa_status stoa_commit_read(const uint8_t *payload, size_t size,
                                           stoa_commit_function function, void *user,
                                           stoa_error *err);

#endif
