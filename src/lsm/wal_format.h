/* The bytes of a segment of the log; docs/formats/wal.md. */
#ifndef STOA_LSM_WAL_FORMAT_H
#define STOA_LSM_WAL_FORMAT_H

#include "base/bytes.h"
#include "base/hash.h"
#include "lsm/wal.h"

#define STOA_WAL_MAGIC "StoaLog"
#define STOA_WAL_NAME "%016" PRIx64 ".log"
#define STOA_WAL_NEW_NAME "segment.new" /* what is not a segment yet */
enum {
    STOA_WAL_VERSION = 1,
    STOA_WAL_ALIGNMENT = 8,
    STOA_WAL_PLACE_BITS = 28, /* of an offset, in units of 8 bytes */
    STOA_WAL_NUMBER_BITS = 64 - STOA_WAL_PLACE_BITS
};

/* Written when the segment is made, and not changed while it is used. */
typedef struct stoa_wal_header {
    char magic[8];
    uint32_t version;
    uint32_t zero;
    uint64_t number;
    uint64_t bytes; /* of the file */
    uint64_t boot;  /* the run of the machine that it is written in; 0: not known */
    uint64_t salt;  /* random */
    uint64_t zeros;
    uint32_t more_zeros;
    uint32_t crc; /* CRC-32C of all before it */
} stoa_wal_header;
_Static_assert(sizeof(stoa_wal_header) == 64, "the header has no gaps");

/* What stands before each payload. The first 8 bytes are stored last, at once: with them the record is
 * whole. Until then they are zero. */
typedef struct stoa_wal_head {
    uint32_t
        crc; /* of what follows, the payload and its zeros to a multiple of 8; see stoa_wal_crc */
    uint32_t size;    /* bytes of the payload; STOA_WAL_END: the segment has no more */
    uint64_t place;   /* the offset of this head ^ the segment's salt */
    uint64_t durable; /* what was known to be synced when it was written: a packed position */
} stoa_wal_head;
_Static_assert(sizeof(stoa_wal_head) == 24, "the head has no gaps");

static const uint32_t STOA_WAL_END = UINT32_MAX;
static const uint32_t STOA_WAL_PAYLOAD_MAX = UINT32_C(1) << 30;
static const uint64_t STOA_WAL_SEGMENT_MAX = UINT64_C(1) << (STOA_WAL_PLACE_BITS + 3);

static inline uint64_t stoa_wal_pad(uint64_t size) {
    return (size + STOA_WAL_ALIGNMENT - 1) & ~(uint64_t)(STOA_WAL_ALIGNMENT - 1);
}

/* Positions as numbers in their order. */
static inline uint64_t stoa_wal_pack(uint64_t segment, uint64_t offset) {
    return segment << STOA_WAL_PLACE_BITS | offset / STOA_WAL_ALIGNMENT;
}
static inline stoa_wal_position stoa_wal_unpack(uint64_t packed) {
    return (stoa_wal_position){packed >> STOA_WAL_PLACE_BITS,
                               (packed & ((UINT64_C(1) << STOA_WAL_PLACE_BITS) - 1)) *
                                   STOA_WAL_ALIGNMENT};
}

static inline uint32_t stoa_wal_header_crc(const stoa_wal_header *header) {
    return stoa_crc32c(0, header, offsetof(stoa_wal_header, crc));
}

/// The checksum of a record, which begins with that of its segment's header: so a record of the same
/// file's life before, or of another file, is none. `padded` bytes of payload are looked at.
static inline uint32_t stoa_wal_crc(uint32_t seed, const stoa_wal_head *head,
                                    const uint8_t *payload, size_t padded) {
    const uint32_t crc = stoa_crc32c(seed, &head->size, sizeof *head - sizeof head->crc);
    return stoa_crc32c(crc, payload, padded);
}

#endif
