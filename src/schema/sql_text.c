/* Identifiers and literals of SQL, whatever is in them. */
#include <string.h>

#include "schema/schema.h"

static stoa_status print_quoted(const char *text, char quote, stoa_buffer *out, stoa_error *err) {
    STOA_TRY(stoa_buffer_append_byte(out, (uint8_t)quote, err));
    for (const char *c = text; *c != '\0';) {
        const char *next = strchr(c, quote);
        size_t size = next == NULL ? strlen(c) : (size_t)(next - c) + 1;
        STOA_TRY(stoa_buffer_append(out, c, size, err));
        if (next != NULL) {
            STOA_TRY(stoa_buffer_append_byte(out, (uint8_t)quote, err));
        }
        c += size;
    }
    return stoa_buffer_append_byte(out, (uint8_t)quote, err);
}

stoa_status stoa_sql_identifier_print(const char *name, stoa_buffer *out, stoa_error *err) {
    return print_quoted(name, '"', out, err);
}

stoa_status stoa_sql_literal_print(const char *text, stoa_buffer *out, stoa_error *err) {
    return print_quoted(text, '\'', out, err);
}
