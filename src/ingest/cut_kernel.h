/* Where records of a text end, so that it can be cut there. */
#ifndef STOA_INGEST_CUT_KERNEL_H
#define STOA_INGEST_CUT_KERNEL_H

#include <stddef.h>
#include <stdint.h>

/* How records of a text are told apart. */
typedef struct stoa_ingest_cut {
    uint8_t end;    /* ends a record: '\n', or '\r' where that stands alone */
    uint8_t quote;  /* 0: no byte hides an end */
    uint8_t escape; /* within quotes takes away the meaning of a quote; mostly the quote itself */
    uint8_t delimiter; /* a quote opens a field only after one of these, or at a record's start */
} stoa_ingest_cut;

/// Bytes of the whole records at the start of `bytes`, which begin with a record: 0 when none ends.
size_t stoa_ingest_cut_kernel(const stoa_ingest_cut *cut, const uint8_t *bytes, size_t size);

/// How often `byte` occurs.
int64_t stoa_ingest_count_kernel(const uint8_t *bytes, size_t size, uint8_t byte);

#endif
