/* Reading a damaged log. A segment whose header is whole has a salt, by which its records are found at any
 * place; one without is lost. Where a segment has no end, or the next one is missing, that is a gap once a
 * later record is found. */
#include "lsm/wal_salvage.h"

#include <inttypes.h>
#include <stdio.h>

#include "lsm/wal_read.h"

struct salvage {
    const stoa_wal_options *options;
    stoa_wal_replay replay;
    stoa_wal_gap_function function;
    void *user;
    bool has_open_gap; /* `gap` is one if records follow, or `begins` */
    bool begins;       /* a record that is not whole stands there */
    stoa_wal_gap gap;
};

static void tell(const struct salvage *salvage, const stoa_wal_gap *gap, const char *what,
                 stoa_error *err) {
    char name[STOA_ERROR_NAME_BYTES];
    (void)snprintf(name, sizeof name, "%s/" STOA_WAL_NAME, salvage->options->directory,
                   gap->segment);
    if (gap->to == 0) {
        (void)stoa_fail(err, STOA_CORRUPT, "log segment '%s' is missing", name);
    } else {
        (void)stoa_fail(err, STOA_CORRUPT,
                        "log segment '%s': bytes %" PRIu64 " to %" PRIu64 ": %s", name, gap->from,
                        gap->to, what);
    }
    stoa_error_set_file(err, name, (int64_t)gap->from);
    salvage->function(salvage->user, gap, err);
    stoa_error_clear(err);
}

static void tell_open_gap(struct salvage *salvage, stoa_error *err) {
    if (salvage->has_open_gap) {
        tell(salvage, &salvage->gap, "expected records to the segment's end", err);
        salvage->has_open_gap = false;
    }
}

static void open_gap(struct salvage *salvage, const stoa_wal_gap *gap, bool begins) {
    if (!salvage->has_open_gap) {
        salvage->has_open_gap = true;
        salvage->begins = begins;
        salvage->gap = *gap;
    }
}

/* From a place without a whole record to the next one that is whole; `*out_found` is false where there is
 * none. */
static stoa_status pass_gap(struct salvage *salvage, stoa_wal_reader *reader, uint64_t *budget,
                            bool *out_found, stoa_error *err) {
    const uint64_t from = reader->offset;
    bool is_stored;
    uint64_t bytes;
    STOA_TRY(stoa_wal_reader_look(reader, &is_stored, &bytes, err));
    STOA_TRY(stoa_wal_reader_skip(reader, budget, out_found, err));
    if (*out_found) {
        tell_open_gap(salvage, err);
        tell(salvage, &(stoa_wal_gap){reader->number, from, reader->offset},
             "expected a whole record", err);
    } else {
        open_gap(salvage, &(stoa_wal_gap){reader->number, from, reader->file_bytes}, is_stored);
    }
    return STOA_OK;
}

static stoa_status read_records(struct salvage *salvage, stoa_wal_reader *reader,
                                stoa_error *err) {
    uint64_t budget = stoa_wal_reader_budget(reader);
    for (bool goes_on = true; goes_on;) {
        stoa_wal_record record;
        stoa_wal_found found;
        STOA_TRY(stoa_cancel_check(salvage->options->context.cancel, err));
        STOA_TRY(stoa_wal_reader_next(reader, &found, &record, err));
        if (found == STOA_WAL_FOUND_NOTHING) {
            STOA_TRY(pass_gap(salvage, reader, &budget, &goes_on, err));
            continue;
        }
        tell_open_gap(salvage, err);
        goes_on = found == STOA_WAL_FOUND_RECORD;
        if (goes_on) {
            const stoa_wal_position end = {reader->number, record.end};
            STOA_TRY(salvage->replay(salvage->user, end, record.payload, record.size, err));
        }
    }
    return STOA_OK;
}

static stoa_status read_segment(struct salvage *salvage, uint64_t number, stoa_error *err) {
    const stoa_wal_options *options = salvage->options;
    stoa_wal_reader reader;
    stoa_status status = stoa_wal_reader_open(&reader, &options->context, options->file_systems,
                                              options->directory, number, err);
    if (status == STOA_CORRUPT || status == STOA_CONFLICT) { /* the header, or another's */
        const stoa_wal_gap whole = {number, 0, sizeof(stoa_wal_header)};
        stoa_error_clear(err);
        tell_open_gap(salvage, err);
        tell(salvage, &whole, "expected the header of the segment: nothing in it can be read", err);
        return STOA_OK;
    }
    STOA_TRY(status);
    if (reader.has_begun) {
        status = read_records(salvage, &reader, err);
    } else {
        open_gap(salvage, &(stoa_wal_gap){number, 0, sizeof(stoa_wal_header)}, false);
    }
    stoa_wal_reader_close(&reader);
    return status;
}

static stoa_status read_all(struct salvage *salvage, const stoa_buffer *numbers, uint64_t first,
                            stoa_error *err) {
    uint64_t expected = first;
    for (size_t i = 0; i < numbers->size; i += sizeof(uint64_t)) {
        const uint64_t number = stoa_load_u64(numbers->data + i);
        if (number < first) {
            continue;
        }
        if (expected != 0 && number > expected) {
            open_gap(salvage, &(stoa_wal_gap){expected, 0, 0}, false);
        }
        STOA_TRY(read_segment(salvage, number, err));
        expected = number + 1;
    }
    if (salvage->has_open_gap && salvage->begins) {
        tell_open_gap(salvage, err);
    }
    return STOA_OK;
}

stoa_status stoa_wal_salvage(const stoa_wal_options *options, uint64_t first_segment,
                             stoa_wal_replay replay, stoa_wal_gap_function gap, void *user,
                             stoa_error *err) {
    struct salvage salvage = {
        .options = options, .replay = replay, .function = gap, .user = user};
    stoa_error own = STOA_ERROR_NONE; /* gaps are told through one */
    stoa_buffer numbers;
    stoa_buffer_init(&numbers, options->context.pool);
    stoa_status status = stoa_wal_list(&options->context, options->file_systems,
                                       options->directory, &numbers, &own);
    if (status == STOA_OK) {
        status = read_all(&salvage, &numbers, first_segment, &own);
    }
    stoa_buffer_release(&numbers);
    if (status != STOA_OK && err != NULL) {
        *err = own;
    }
    return status;
}
