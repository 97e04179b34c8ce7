/* What is remembered of a chunk's data pages while they are made: where they stand, the rows that they
 * begin with, the bounds of their values. It becomes the chunk's statistics and its page index.
 *
 * Source   Apache Parquet format 2.12, "PageIndex.md" */
#ifndef STOA_PARQUET_PAGE_NOTES_H
#define STOA_PARQUET_PAGE_NOTES_H

#include "parquet/dictionary.h"
#include "parquet/page.h"
#include "parquet/page_index.h"
#include "parquet/statistics.h"

/// Working memory, used for one chunk after the other. All-zero with stoa_page_notes_init is empty.
typedef struct stoa_page_notes {
    stoa_buffer pages;    /* struct note */
    stoa_buffer gathered; /* values that a page's codes stand for */
    stoa_buffer seen;     /* a byte an entry of the dictionary */
    int64_t row_count;    /* of the pages so far */
} stoa_page_notes;

/// A data page for the offset index; its offset is relative to where the chunk begins.
typedef struct stoa_page_mark {
    stoa_page_location location;
    int64_t byte_array_bytes; /* 0 but for BYTE_ARRAY */
} stoa_page_mark;

void stoa_page_notes_init(stoa_page_notes *notes, stoa_pool *pool);
void stoa_page_notes_release(stoa_page_notes *notes);

/// Forgets the chunk before.
void stoa_page_notes_begin(stoa_page_notes *notes);

/// Adds the next data page. `dictionary` is NULL where pages hold values.
STOA_MUST_USE stoa_status stoa_page_notes_add(stoa_page_notes *notes, const stoa_leaf *leaf,
                                              const stoa_leaf_values *values,
                                              const stoa_leaf_dictionary *dictionary,
                                              const stoa_page_range *range, stoa_error *err);

/// Says where data page `page` (from 0) came to stand in its chunk, and its bytes with the header.
void stoa_page_notes_place(stoa_page_notes *notes, int32_t page, uint64_t offset, size_t bytes);

/// The statistics of all pages together.
void stoa_page_notes_total(const stoa_page_notes *notes, const stoa_leaf *leaf,
                           stoa_leaf_statistics *out);
/// Bytes of all BYTE_ARRAY values without their lengths.
int64_t stoa_page_notes_byte_array_bytes(const stoa_page_notes *notes);

/// Appends a mark for every page to `marks`, and a ColumnIndex struct to `column_index`: nothing where
/// a page has values that no bound may be given for (NaN, intervals, long fixed values), since
/// the format has no way to say so for a page alone.
STOA_MUST_USE stoa_status stoa_page_notes_write(const stoa_page_notes *notes,
                                                const stoa_leaf *leaf, stoa_buffer *marks,
                                                stoa_buffer *column_index, stoa_error *err);

#endif
