/* Configuration and credentials files of AWS's tools: any bytes are settings or are passed over. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "vfs/aws_settings.h"

/* What is told lies in bounds: every byte of it can be read. */
static bool touch(void *user, const char *section, size_t section_size, const char *key,
                  size_t key_size, const char *value, size_t value_size) {
    unsigned *sum = user;
    const char *const texts[] = {section, key, value};
    const size_t sizes[] = {section_size, key_size, value_size};
    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < sizes[i]; j++) {
            *sum += (unsigned char)texts[i][j];
        }
    }
    return *sum % 251 != 250;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    unsigned sum = 0;
    /* A copy of its own size, so that reading behind it is seen. */
    char *text = malloc(size == 0 ? 1 : size);
    if (text == NULL) {
        return 0;
    }
    for (size_t i = 0; i < size; i++) {
        text[i] = (char)data[i];
    }
    stoa_aws_ini_read(text, size, touch, &sum);
    free(text);
    return 0;
}
