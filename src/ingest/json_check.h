/* JSON Lines against the columns that they are read as. */
#ifndef STOA_INGEST_JSON_CHECK_H
#define STOA_INGEST_JSON_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include <stoa/schema.h>

/// What is wrong with a text, for a reader that has been given `columns`.
typedef enum stoa_json_fault {
    STOA_JSON_FINE,
    STOA_JSON_DEEP,    /* values nest deeper than the engine's parser survives */
    STOA_JSON_MEMBER,  /* a member that no column or field is called: the reader would drop it */
    STOA_JSON_FRACTION /* a fraction where a whole number is read: the reader would round it */
} stoa_json_fault;

typedef struct stoa_json_place {
    int64_t line;     /* from 1, within the text */
    const char *name; /* of the member, or of the text up to it; borrowed from the text */
    size_t name_size;
    const char *value; /* the number */
    size_t value_size;
} stoa_json_place;

enum { STOA_JSON_DEPTH_MAX = 1000 };

/// Looks at every line of `text`. What is no JSON is left to the engine to refuse.
stoa_json_fault stoa_json_check(const char *text, size_t size, const stoa_schema *columns,
                                stoa_json_place *out);

#endif
