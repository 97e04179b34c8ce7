/* The files of AWS's tools, ~/.aws/config and ~/.aws/credentials:
 *
 *     [profile work]                 ; in "credentials": [work]
 *     region = eu-west-1
 *     s3 =
 *         addressing_style = path    a nested setting: "s3.addressing_style"
 *
 * Lines that begin with '#' or ';' are comments, and so is what follows a space and one of these.
 * Source: AWS SDKs and Tools Reference Guide, "Format of the shared config and credentials files" */
#include <string.h>

#include "vfs/aws_settings.h"

enum { KEY_BYTES_MAX = 200 };

struct text {
    const char *bytes;
    size_t size;
};

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static struct text trim(const char *bytes, size_t size) {
    while (size > 0 && is_space(bytes[0])) {
        bytes++;
        size--;
    }
    while (size > 0 && is_space(bytes[size - 1])) {
        size--;
    }
    return (struct text){bytes, size};
}

static struct text without_comment(struct text line) {
    for (size_t i = 0; i < line.size; i++) {
        bool begins = line.bytes[i] == '#' || line.bytes[i] == ';';
        if (begins && (i == 0 || is_space(line.bytes[i - 1]))) {
            return trim(line.bytes, i);
        }
    }
    return trim(line.bytes, line.size);
}

struct reading {
    stoa_aws_ini_function function;
    void *user;
    struct text section;
    struct text parent; /* the last key without a value: indented lines below belong to it */
};

/* "[ name ]"; without its ']' nothing is known of what follows. */
static bool read_section(struct reading *reading, struct text line) {
    const char *end = memchr(line.bytes, ']', line.size);
    reading->parent = (struct text){NULL, 0};
    if (end == NULL) {
        reading->section = (struct text){NULL, 0};
        return true;
    }
    reading->section = trim(line.bytes + 1, (size_t)(end - line.bytes) - 1);
    return reading->function(reading->user, reading->section.bytes, reading->section.size, "", 0,
                             "", 0);
}

static bool tell(const struct reading *reading, struct text key, struct text value) {
    return reading->function(reading->user, reading->section.bytes, reading->section.size,
                             key.bytes, key.size, value.bytes, value.size);
}

static bool tell_nested(const struct reading *reading, struct text key, struct text value) {
    char name[KEY_BYTES_MAX];
    size_t size = reading->parent.size + 1 + key.size;
    if (size > sizeof name) {
        return true;
    }
    memcpy(name, reading->parent.bytes, reading->parent.size);
    name[reading->parent.size] = '.';
    memcpy(name + reading->parent.size + 1, key.bytes, key.size);
    return tell(reading, (struct text){name, size}, value);
}

static bool read_setting(struct reading *reading, struct text line, bool is_indented) {
    const char *equals = memchr(line.bytes, '=', line.size);
    if (equals == NULL || reading->section.bytes == NULL) {
        return true;
    }
    size_t key_size = (size_t)(equals - line.bytes);
    struct text key = trim(line.bytes, key_size);
    struct text value = trim(equals + 1, line.size - key_size - 1);
    if (key.size == 0) {
        return true;
    }
    if (is_indented) {
        return reading->parent.bytes == NULL || tell_nested(reading, key, value);
    }
    reading->parent = value.size == 0 ? key : (struct text){NULL, 0};
    return tell(reading, key, value);
}

void stoa_aws_ini_read(const char *text, size_t size, stoa_aws_ini_function function, void *user) {
    struct reading reading = {.function = function, .user = user};
    const char *end = text + size;
    if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3;
    }
    for (bool goes_on = true; goes_on && text < end;) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t length = newline == NULL ? (size_t)(end - text) : (size_t)(newline - text);
        struct text line = without_comment((struct text){text, length});
        bool is_indented = length > 0 && is_space(text[0]);
        if (line.size > 0) {
            goes_on = line.bytes[0] == '[' ? read_section(&reading, line)
                                           : read_setting(&reading, line, is_indented);
        }
        text += length + (newline == NULL ? 0 : 1);
    }
}
