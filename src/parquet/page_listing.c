/* See page_listing.h. */
#include "parquet/page_listing.h"

#include "parquet/page_body.h"

stoa_status stoa_page_listing_open(stoa_page_listing *listing, const stoa_context *context,
                                   stoa_file *file, const stoa_parquet_footer *footer,
                                   int32_t group, int32_t leaf, stoa_error *err) {
    const stoa_parquet_column *column = &footer->groups[group].columns[leaf];
    *listing = (stoa_page_listing){.footer = footer, .data_page = -1};
    stoa_arena_init(&listing->arena, context->pool);
    stoa_page_reader_init(&listing->pages, context->pool, file, column);
    stoa_status status =
        stoa_page_index_read(file, footer, group, leaf, &listing->arena, &listing->index, err);
    if (status == STOA_CORRUPT) {
        listing->index = (stoa_page_index){0};
        listing->index_is_broken = true;
        stoa_error_clear(err);
        status = STOA_OK;
    }
    return status;
}

void stoa_page_listing_close(stoa_page_listing *listing) {
    stoa_arena_release(&listing->arena);
    stoa_page_reader_release(&listing->pages);
}

static stoa_status check(stoa_page_listing *listing, stoa_error *err) {
    const uint8_t *stored;
    listing->checksum = STOA_PAGE_CHECKSUM_NONE;
    if (!listing->page.has_crc) {
        return STOA_OK;
    }
    STOA_TRY(stoa_page_reader_body(&listing->pages, &listing->page, &stored, err));
    const stoa_status status =
        stoa_page_body_check(&listing->pages, &listing->page, stored, NULL);
    listing->checksum =
        status == STOA_OK ? STOA_PAGE_CHECKSUM_GOOD : STOA_PAGE_CHECKSUM_BAD;
    return STOA_OK;
}

stoa_status stoa_page_listing_next(stoa_page_listing *listing, bool *out_end, stoa_error *err) {
    const stoa_page_index *index = &listing->index;
    STOA_TRY(stoa_page_reader_next(&listing->pages, &listing->page, out_end, err));
    listing->data_page = -1;
    if (*out_end) {
        return STOA_OK;
    }
    const int32_t kind = listing->page.kind;
    if (kind == STOA_PARQUET_DATA_PAGE || kind == STOA_PARQUET_DATA_PAGE_V2) {
        const int32_t at = listing->data_page_count++;
        if (at < index->page_count && (index->locations == NULL ||
                                       index->locations[at].offset == listing->page.offset)) {
            listing->data_page = at;
        }
    }
    return check(listing, err);
}
