/* What the stand-in model server and the load generator share of HTTP/1.1:
 * header lookup, an incremental chunked-body reader, a monotonic clock. */
#ifndef BENCH_HTTP_H
#define BENCH_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <time.h>

struct span {
    const char *at;
    size_t len;
};

static inline uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Length of the message head including its empty line, or 0 if incomplete. */
static inline size_t head_length(const char *buf, size_t len) {
    const char *end = memmem(buf, len, "\r\n\r\n", 4);
    return end ? (size_t)(end - buf) + 4 : 0;
}

/* Value of the header `name` in a complete head; false if absent. */
static inline bool find_header(struct span head, const char *name, struct span *value) {
    size_t name_len = strlen(name);
    const char *line = memchr(head.at, '\n', head.len);
    const char *end = head.at + head.len;
    while (line && ++line < end) {
        const char *eol = memchr(line, '\n', (size_t)(end - line));
        if (!eol) return false;
        if ((size_t)(eol - line) > name_len && line[name_len] == ':' &&
            strncasecmp(line, name, name_len) == 0) {
            const char *from = line + name_len + 1, *to = eol;
            while (from < to && (*from == ' ' || *from == '\t')) from++;
            while (to > from && (to[-1] == '\r' || to[-1] == ' ')) to--;
            *value = (struct span){from, (size_t)(to - from)};
            return true;
        }
        line = eol;
    }
    return false;
}

/* Does `text` contain `word`, whatever its case? */
static inline bool span_has(struct span text, const char *word) {
    size_t len = strlen(word);
    for (size_t i = 0; i + len <= text.len; i++)
        if (strncasecmp(text.at + i, word, len) == 0) return true;
    return false;
}

/* Non-negative decimal at the start of `text`; -1 when there is none or it is absurd. */
static inline int64_t span_number(struct span text) {
    int64_t value = 0;
    size_t i = 0;
    for (; i < text.len && i < 16 && text.at[i] >= '0' && text.at[i] <= '9'; i++)
        value = value * 10 + (text.at[i] - '0');
    return i ? value : -1;
}

/* Incremental reader of a chunked body; start from a zeroed value. */
struct chunked {
    enum { CHUNK_SIZE, CHUNK_EXTENSION, CHUNK_DATA, CHUNK_END, CHUNK_TRAILER, CHUNK_DONE,
           CHUNK_BAD } state;
    uint64_t left;    /* data bytes still to come of this chunk */
    unsigned digits;  /* of the size line; or characters of a trailer line */
};

static inline int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads one byte of framing (anything that is not chunk data). */
static inline void chunked_frame_byte(struct chunked *c, char b) {
    switch (c->state) {
    case CHUNK_SIZE:
        if (hex_digit(b) >= 0 && c->digits < 15) {
            c->left = c->left * 16 + (uint64_t)hex_digit(b);
            c->digits++;
            return;
        }
        if (c->digits == 0 || (b != '\r' && b != '\n' && b != ';' && b != ' ')) {
            c->state = CHUNK_BAD;
            return;
        }
        c->state = CHUNK_EXTENSION;
        __attribute__((fallthrough)); /* the byte that ended the size may end the line */
    case CHUNK_EXTENSION:
        if (b == '\n') c->state = c->left ? CHUNK_DATA : CHUNK_TRAILER, c->digits = 0;
        return;
    case CHUNK_END:
        if (b == '\n') c->state = CHUNK_SIZE;
        else if (b != '\r') c->state = CHUNK_BAD;
        return;
    case CHUNK_TRAILER:
        if (b == '\n') c->state = c->digits ? CHUNK_TRAILER : CHUNK_DONE, c->digits = 0;
        else if (b != '\r') c->digits = 1;
        return;
    default:
        return;
    }
}

/* Consumes input up to and including the next run of chunk data. Returns the
 * bytes consumed; `data` is the run, empty when the input held only framing. */
static inline size_t chunked_read(struct chunked *c, const char *in, size_t len,
                                  struct span *data) {
    size_t i = 0;
    *data = (struct span){in, 0};
    while (i < len && c->state != CHUNK_DONE && c->state != CHUNK_BAD) {
        if (c->state != CHUNK_DATA) {
            chunked_frame_byte(c, in[i++]);
            continue;
        }
        size_t run = len - i < c->left ? len - i : (size_t)c->left;
        *data = (struct span){in + i, run};
        c->left -= run;
        if (c->left == 0) c->state = CHUNK_END;
        return i + run;
    }
    return i;
}

#endif
