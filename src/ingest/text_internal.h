/* Text files of a load and their blocks: what the files of this module share. */
#ifndef STOA_INGEST_TEXT_INTERNAL_H
#define STOA_INGEST_TEXT_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "ingest/csv.h"
#include "ingest/text_source.h"

struct text_file {
    const stoa_ingest_input *input;
    stoa_csv_dialect dialect; /* of CSV */
    const stoa_schema *found;
    const stoa_schema *columns; /* of CSV, as they are read */
    struct ArrowSchema arrow;   /* the same */
    bool plain;                 /* blocks are tried without the engine */
    const char *options;        /* of the engine's reader, from the source's arena */
};

struct parcel {
    stoa_text_source *source;
    struct parcel *next_free;
    struct parcel *next; /* of all there are */
    const struct text_file *file;
    stoa_text_block block;
};

struct stoa_text_source {
    pthread_mutex_t lock;
    struct parcel *free;
    stoa_database *database;
    const stoa_context *context;
    const stoa_schema *target;
    stoa_ingest_tuning tuning;
    bool rejects;
    bool json;
    stoa_arena arena;
    struct text_file *files;
    size_t file_count;
    const stoa_schema *schema;  /* of all files together */
    const stoa_schema *columns; /* of JSON, as they are read */
    stoa_session *session;      /* for what is asked before the pipeline runs */
    struct parcel *parcels;
    size_t next_file;
    stoa_text_reader reader;
    bool reading;
    stoa_ingest_fit *fit;
    atomic_uint_fast64_t bytes_done;
    atomic_int guess; /* stoa_text_guess */
};

/* text_file.c: looking at files before they are read. */

STOA_MUST_USE stoa_status stoa_text_open_reader(stoa_text_source *source,
                                                const struct text_file *file, stoa_text_reader *out,
                                                stoa_error *err);
/* How all files are read, each for itself. */
STOA_MUST_USE stoa_status stoa_text_look_at_all(stoa_text_source *source, stoa_error *err);
/* The columns of all files by name, each in a type that holds what the files have there. */
STOA_MUST_USE stoa_status stoa_text_unite(stoa_text_source *source, stoa_error *err);
/* The file's part of the query, and the columns that it gives. */
STOA_MUST_USE stoa_status stoa_text_print_options(stoa_text_source *source, struct text_file *file,
                                                  stoa_error *err);
void stoa_text_file_release(struct text_file *file);

stoa_status stoa_text_fail_deep(int64_t line, stoa_error *err);
/* Says which line of JSON it was. */
void stoa_text_explain_json(stoa_session *session, const char *options,
                            const struct text_file *file, const stoa_text_block *block,
                            const stoa_context *context, stoa_error *err);
/* The engine speaks of a file that nobody knows, and shows a query that nobody wrote. */
void stoa_text_scrub(const struct text_file *file, const stoa_text_block *block, stoa_error *err);
/* Puts the file's name before the message, unless it is there. */
void stoa_text_name_file(const struct text_file *file, stoa_error *err);

#endif
