/* The pages of a chunk one after the other, with what its page index says of them, for who describes. */
#ifndef STOA_PARQUET_PAGE_LISTING_H
#define STOA_PARQUET_PAGE_LISTING_H

#include <stoa/context.h>

#include "parquet/page_index.h"
#include "parquet/page_reader.h"

typedef enum stoa_page_checksum {
    STOA_PAGE_CHECKSUM_NONE, /* the page has none */
    STOA_PAGE_CHECKSUM_GOOD,
    STOA_PAGE_CHECKSUM_BAD
} stoa_page_checksum;

typedef struct stoa_page_listing {
    const stoa_parquet_footer *footer;
    stoa_page_reader pages;
    stoa_arena arena;
    stoa_page_index index; /* empty where it does not hold together */
    bool index_is_broken;

    /* Of the page that was read last. */
    stoa_parquet_page page;
    stoa_page_checksum checksum;
    int32_t data_page; /* its number among data pages; -1: another page, or one not in the index */
    int32_t data_page_count;
} stoa_page_listing;

/// Reads the index, not yet a page. Closed also after an error.
///
/// Errors   as stoa_page_index_read, but what is corrupt there is left aside
STOA_MUST_USE stoa_status stoa_page_listing_open(stoa_page_listing *listing,
                                                 const stoa_context *context, stoa_file *file,
                                                 const stoa_parquet_footer *footer, int32_t group,
                                                 int32_t leaf, stoa_error *err);
void stoa_page_listing_close(stoa_page_listing *listing);

/// Reads the next page and compares its checksum.
///
/// Errors   as stoa_page_reader_next; a checksum that fails is none
STOA_MUST_USE stoa_status stoa_page_listing_next(stoa_page_listing *listing, bool *out_end,
                                                 stoa_error *err);

#endif
