/* Reading the page index of a column chunk: where each data page stands and which row it begins with
 * (offset index), and what its values lie between (column index).
 *
 * Source   Apache Parquet format 2.12, "PageIndex.md" */
#ifndef STOA_PARQUET_PAGE_INDEX_H
#define STOA_PARQUET_PAGE_INDEX_H

#include "parquet/footer.h"

/// A data page: `bytes` with its header, rows [first_row, first_row of the next) of the group.
typedef struct stoa_page_location {
    uint64_t offset;
    uint32_t bytes;
    int64_t first_row;
} stoa_page_location;

typedef struct stoa_page_bound {
    const uint8_t *bytes;
    size_t size;
} stoa_page_bound;

/// Arrays of `page_count`; those that the file lacks are NULL. Bounds are in PLAIN form without a
/// length before it, possibly wider than the values, and empty for a page of nulls (all_null). How
/// they compare is stoa_parquet_bounds_are_ordered's to say; NaN is never a bound of use.
typedef struct stoa_page_index {
    int32_t page_count;
    const stoa_page_location *locations; /* NULL: no offset index */
    const int64_t *byte_array_bytes; /* of each page's BYTE_ARRAY values, without their lengths */
    const bool *all_null; /* NULL: no column index; then so are all below */
    const stoa_page_bound *min;
    const stoa_page_bound *max;
    const int64_t *null_counts;
    const int64_t *nan_counts;
    int32_t boundary_order; /* stoa_parquet_boundary_order, as the writer claims */
} stoa_page_index;

/// Reads what index there is of column chunk `leaf` of row group `group`; without any, page_count
/// is 0 and both locations and all_null are NULL; so it is for a locked chunk.
///
/// Checked: places lie between the file's magic and its footer; pages lie in their chunk, in order and
/// apart; first rows begin with 0, never fall and stay within the group; all lists have one length;
/// bounds of fixed width have it. A column index that knows nothing (negative counts of nulls, pages of
/// nulls in a required column) is left out. Whether bounds and boundary
/// order are true is for stoa_parquet_verify to find.
///
/// Errors   STOA_CORRUPT  with the byte; row group and column are the caller's to add
///          STOA_IO, STOA_LIMIT, STOA_NO_MEMORY
/// Owns     Everything comes from `arena`: a small multiple of the index's bytes in the file.
STOA_MUST_USE stoa_status stoa_page_index_read(stoa_file *file, const stoa_parquet_footer *footer,
                                               int32_t group, int32_t leaf, stoa_arena *arena,
                                               stoa_page_index *out, stoa_error *err);

/// The same without what values lie between: `out` has locations alone.
STOA_MUST_USE stoa_status stoa_page_locations_read(stoa_file *file,
                                                   const stoa_parquet_footer *footer,
                                                   int32_t group, int32_t leaf, stoa_arena *arena,
                                                   stoa_page_index *out, stoa_error *err);

/// Bytes of a PLAIN value of an element; 0 where values have lengths of their own.
size_t stoa_parquet_plain_width(const stoa_parquet_element *element);

#endif
