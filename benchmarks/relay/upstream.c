/* A stand-in for a model server that costs almost nothing, so that what a
 * benchmark measures is the proxy in front of it.
 *
 *   upstream [PORT]      listens on 127.0.0.1, prints "PORT <n>"; 0 = any port
 *
 *   POST <any path>              a 300-byte chat.completion
 *   POST with x-bench: sse       50 server-sent events as fast as possible
 *   POST with x-bench: paced     one event each 50 ms; the value may continue
 *                                ";tokens=N;interval_ms=M"
 *   GET /health                  200
 *   GET /stats                   POST requests answered, their body bytes, and
 *                                bodies that were not a JSON object
 *
 * "x-bench" may also stand in the query string (?x-bench=sse). Streams use
 * chunked encoding and one write per event, as model servers do. */
#define _GNU_SOURCE
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    BUFFER = 128 * 1024, /* also the limit of a request head */
    EVENTS = 512,
    BACKLOG = 4096,
    DEFAULT_TOKENS = 50,
    DEFAULT_INTERVAL_MS = 50,
};

enum state { READ_HEAD, READ_BODY, READ_CHUNKS, RESPOND };

struct conn {
    int fd;
    enum state state;
    size_t begin, end; /* the unread part of `buffer` */
    bool keep_alive, is_post, wants_write, on_paced_list;

    uint64_t body_left; /* READ_BODY */
    struct chunked chunks;
    char body_first, body_last;

    struct span whole;  /* a response of one piece; or, when empty, a stream: */
    unsigned tokens;    /* events before [DONE] */
    unsigned piece;     /* 0 = head, 1..tokens = events, tokens + 1 = the end */
    size_t sent;        /* bytes of the current piece */
    uint64_t interval_ns, due_ns;
    struct conn *prev, *next; /* the paced list */

    char buffer[BUFFER];
};

static int epoll_fd, timer_fd;
static struct conn *paced; /* streams that wait for a moment in time */
static uint64_t stat_requests, stat_body_bytes, stat_bad_bodies;

/* ---- what is sent ------------------------------------------------------- */

#define EVENT_HEAD \
    "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\"," \
    "\"created\":1700000000,\"model\":\"bench\",\"choices\":[{\"index\":0,\"delta\":"

static const char completion[] =
    "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1700000000,"
    "\"model\":\"bench\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
    "\"content\":\"Use a context manager, so that the file is closed on every path.\"},"
    "\"finish_reason\":\"stop\"}],"
    "\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":14,\"total_tokens\":26}}";
static const char stream_head[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    "Transfer-Encoding: chunked\r\n\r\n";
static const char token_event[] =
    EVENT_HEAD "{\"content\":\" token\"},\"finish_reason\":null}]}\n\n";
static const char last_event[] = EVENT_HEAD
    "{},\"finish_reason\":\"stop\"}],"
    "\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":50,\"total_tokens\":62}}\n\n";
static const char done_event[] = "data: [DONE]\n\n";

static char completion_buf[1024], token_buf[512], last_buf[512], done_buf[64], stats_buf[256];
static struct span completion_msg, token_msg, last_msg, done_msg;

static struct span as_message(char *buf, size_t size, const char *status, const char *json) {
    int n = snprintf(buf, size,
                     "HTTP/1.1 %s\r\nContent-Type: application/json\r\n"
                     "Content-Length: %zu\r\n\r\n%s",
                     status, strlen(json), json);
    return (struct span){buf, (size_t)n};
}

static struct span as_chunk(char *buf, size_t size, const char *event, const char *after) {
    int n = snprintf(buf, size, "%zx\r\n%s\r\n%s", strlen(event), event, after);
    return (struct span){buf, (size_t)n};
}

static void prepare_messages(void) {
    completion_msg = as_message(completion_buf, sizeof completion_buf, "200 OK", completion);
    token_msg = as_chunk(token_buf, sizeof token_buf, token_event, "");
    last_msg = as_chunk(last_buf, sizeof last_buf, last_event, "");
    done_msg = as_chunk(done_buf, sizeof done_buf, done_event, "0\r\n\r\n");
}

static struct span current_piece(const struct conn *c) {
    if (c->whole.len) return c->whole;
    if (c->piece == 0) return (struct span){stream_head, sizeof stream_head - 1};
    if (c->piece < c->tokens) return token_msg;
    return c->piece == c->tokens ? last_msg : done_msg;
}

/* ---- connections -------------------------------------------------------- */

static void leave_paced_list(struct conn *c) {
    if (!c->on_paced_list) return;
    if (c->prev) c->prev->next = c->next;
    else paced = c->next;
    if (c->next) c->next->prev = c->prev;
    c->on_paced_list = false;
}

static void join_paced_list(struct conn *c) {
    if (c->on_paced_list) return;
    c->prev = NULL;
    c->next = paced;
    if (paced) paced->prev = c;
    paced = c;
    c->on_paced_list = true;
}

static void drop(struct conn *c) {
    leave_paced_list(c);
    close(c->fd);
    free(c);
}

static void watch_write(struct conn *c, bool on) {
    if (c->wants_write == on) return;
    struct epoll_event e = {.events = EPOLLIN | (on ? EPOLLOUT : 0u), .data.ptr = c};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
    c->wants_write = on;
}

static void accept_all(int listener) {
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct conn *c = malloc(sizeof *c);
        if (!c) {
            close(fd);
            return;
        }
        memset(c, 0, offsetof(struct conn, buffer)); /* the buffer stays untouched memory */
        c->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
    }
}

/* ---- a request ---------------------------------------------------------- */

/* The number after "key=" in `text`, or `fallback`; at most a million. */
static uint64_t parameter(struct span text, const char *key, uint64_t fallback) {
    const char *at = memmem(text.at, text.len, key, strlen(key));
    if (!at) return fallback;
    at += strlen(key);
    int64_t n = span_number((struct span){at, (size_t)(text.at + text.len - at)});
    return n < 1 || n > 1000000 ? fallback : (uint64_t)n;
}

static void plan_stream(struct conn *c, struct span mode) {
    bool is_paced = span_has(mode, "paced");
    c->whole.len = 0;
    c->tokens = (unsigned)parameter(mode, "tokens=", DEFAULT_TOKENS);
    c->interval_ns =
        is_paced ? parameter(mode, "interval_ms=", DEFAULT_INTERVAL_MS) * 1000000u : 0;
}

static void plan_response(struct conn *c, struct span head, struct span target) {
    struct span mode;
    c->piece = 0;
    c->sent = 0;
    c->due_ns = 0;
    c->interval_ns = 0;
    if (c->is_post) {
        const char *query = memchr(target.at, '?', target.len);
        bool asked = find_header(head, "x-bench", &mode);
        if (!asked && query) {
            mode = (struct span){query, (size_t)(target.at + target.len - query)};
            asked = span_has(mode, "x-bench=");
        }
        if (asked) plan_stream(c, mode);
        else c->whole = completion_msg;
    } else if (target.len == 7 && memcmp(target.at, "/health", 7) == 0) {
        static char buf[256];
        c->whole = as_message(buf, sizeof buf, "200 OK", "{\"status\":\"ok\"}");
    } else if (target.len == 6 && memcmp(target.at, "/stats", 6) == 0) {
        char json[160];
        snprintf(json, sizeof json, "{\"requests\":%llu,\"body_bytes\":%llu,\"bad_bodies\":%llu}",
                 (unsigned long long)stat_requests, (unsigned long long)stat_body_bytes,
                 (unsigned long long)stat_bad_bodies);
        c->whole = as_message(stats_buf, sizeof stats_buf, "200 OK", json);
    } else {
        static char buf[256];
        c->whole = as_message(buf, sizeof buf, "404 Not Found", "{\"error\":\"not found\"}");
    }
}

enum progress { MORE, CONTINUE, BROKEN }; /* needs input; go on; close it */

static enum progress read_head(struct conn *c) {
    size_t len = head_length(c->buffer + c->begin, c->end - c->begin);
    if (len == 0) return MORE;
    struct span head = {c->buffer + c->begin, len}, value;
    c->begin += len;

    const char *eol = memchr(head.at, '\r', head.len);
    const char *target = memchr(head.at, ' ', (size_t)(eol - head.at));
    if (!target++) return BROKEN;
    const char *version = memchr(target, ' ', (size_t)(eol - target));
    if (!version || eol - version != 9) return BROKEN;
    c->is_post = memcmp(head.at, "POST ", 5) == 0;
    c->keep_alive = memcmp(version, " HTTP/1.1", 9) == 0;
    if (find_header(head, "connection", &value) && span_has(value, "close")) c->keep_alive = false;
    plan_response(c, head, (struct span){target, (size_t)(version - target)});

    c->body_first = c->body_last = 0;
    c->body_left = 0;
    c->state = READ_BODY;
    if (find_header(head, "transfer-encoding", &value) && span_has(value, "chunked")) {
        c->chunks = (struct chunked){0};
        c->state = READ_CHUNKS;
    } else if (find_header(head, "content-length", &value)) {
        int64_t n = span_number(value);
        if (n < 0) return BROKEN;
        c->body_left = (uint64_t)n;
    }
    if (find_header(head, "expect", &value) && span_has(value, "100-continue")) {
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        if (send(c->fd, go_on, sizeof go_on - 1, MSG_NOSIGNAL) < 0) return BROKEN;
    }
    return CONTINUE;
}

/* Bodies are not kept: count them, remember how they begin and end. */
static void take_body(struct conn *c, struct span data) {
    if (data.len == 0) return;
    if (!c->body_first) c->body_first = data.at[0];
    c->body_last = data.at[data.len - 1];
    stat_body_bytes += data.len;
}

static enum progress read_body(struct conn *c) {
    size_t have = c->end - c->begin;
    if (c->state == READ_CHUNKS) {
        while (have > 0 && c->chunks.state < CHUNK_DONE) {
            struct span data;
            size_t used = chunked_read(&c->chunks, c->buffer + c->begin, have, &data);
            take_body(c, data);
            c->begin += used;
            have -= used;
        }
        if (c->chunks.state == CHUNK_BAD) return BROKEN;
        if (c->chunks.state != CHUNK_DONE) return MORE;
    } else {
        size_t run = have < c->body_left ? have : (size_t)c->body_left;
        take_body(c, (struct span){c->buffer + c->begin, run});
        c->begin += run;
        c->body_left -= run;
        if (c->body_left) return MORE;
    }
    if (c->is_post) {
        stat_requests++;
        if (c->body_first != '{' || c->body_last != '}') stat_bad_bodies++;
    }
    c->state = RESPOND;
    return CONTINUE;
}

/* Sends what may be sent now. MORE: blocked on the socket or on the clock. */
static enum progress respond(struct conn *c) {
    unsigned last = c->whole.len ? 0 : c->tokens + 1;
    while (c->piece <= last) {
        bool timed = c->interval_ns && c->piece > 1 && c->piece <= c->tokens;
        if (timed && c->sent == 0 && now_ns() < c->due_ns) {
            join_paced_list(c);
            return MORE;
        }
        struct span piece = current_piece(c);
        ssize_t n = send(c->fd, piece.at + c->sent, piece.len - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno != EAGAIN) return BROKEN;
        if (n > 0) c->sent += (size_t)n;
        if (c->sent < piece.len) {
            leave_paced_list(c);
            watch_write(c, true);
            return MORE;
        }
        c->sent = 0;
        /* The schedule counts from the first event, so that delays do not add up. */
        if (c->interval_ns && c->piece >= 1) {
            if (c->piece == 1) c->due_ns = now_ns();
            c->due_ns += c->interval_ns;
        }
        c->piece++;
    }
    leave_paced_list(c);
    watch_write(c, false);
    if (!c->keep_alive) return BROKEN;
    c->state = READ_HEAD;
    return CONTINUE;
}

/* Takes the connection as far as its input, its socket and the clock allow. */
static bool advance(struct conn *c) {
    enum progress p = CONTINUE;
    while (p == CONTINUE) {
        if (c->state == READ_HEAD) p = read_head(c);
        else if (c->state == RESPOND) p = respond(c);
        else p = read_body(c);
    }
    return p != BROKEN;
}

/* Reads and advances; false when the connection is to be closed. */
static bool on_input(struct conn *c) {
    for (;;) {
        if (c->begin == c->end) c->begin = c->end = 0;
        if (c->end == BUFFER) {
            if (c->begin == 0) return false; /* a head too long, or a client that pipelines */
            memmove(c->buffer, c->buffer + c->begin, c->end - c->begin);
            c->end -= c->begin;
            c->begin = 0;
        }
        size_t room = BUFFER - c->end;
        ssize_t n = recv(c->fd, c->buffer + c->end, room, 0);
        if (n == 0) return false;
        if (n < 0) return errno == EAGAIN || errno == EINTR;
        c->end += (size_t)n;
        if (c->state != RESPOND && !advance(c)) return false;
        if ((size_t)n < room) return true; /* the socket is empty: save a system call */
    }
}

/* ---- time --------------------------------------------------------------- */

static void send_due_tokens(void) {
    uint64_t now = now_ns();
    for (struct conn *c = paced, *next; c; c = next) {
        next = c->next;
        if (c->due_ns <= now && !advance(c)) drop(c);
    }
}

static void arm_timer(void) {
    static uint64_t armed;
    uint64_t first = 0;
    for (struct conn *c = paced; c; c = c->next)
        if (!first || c->due_ns < first) first = c->due_ns;
    if (first == armed) return;
    armed = first;
    struct itimerspec at = {0};
    at.it_value.tv_sec = (time_t)(first / 1000000000u);
    at.it_value.tv_nsec = (long)(first % 1000000000u);
    timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static int listen_on(uint16_t port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t len = sizeof addr;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) || listen(fd, BACKLOG) ||
        getsockname(fd, (struct sockaddr *)&addr, &len)) {
        perror("upstream: cannot listen");
        exit(1);
    }
    printf("PORT %u\n", ntohs(addr.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv) {
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* never outlive the benchmark */
    prepare_messages();
    int listener = listen_on((uint16_t)(argc > 1 ? atoi(argv[1]) : 0));
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = &listener};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &e);
    e.data.ptr = &timer_fd;
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer_fd, &e);

    static struct epoll_event events[EVENTS];
    for (;;) {
        int n = epoll_wait(epoll_fd, events, EVENTS, -1);
        if (n < 0 && errno != EINTR) return 1;
        bool time_came = false;
        for (int i = 0; i < n; i++) {
            void *who = events[i].data.ptr;
            if (who == &listener) {
                accept_all(listener);
            } else if (who == &timer_fd) {
                uint64_t expirations;
                time_came = read(timer_fd, &expirations, sizeof expirations) > 0;
            } else {
                struct conn *c = who;
                bool alive = !(events[i].events & (EPOLLERR | EPOLLHUP));
                if (alive && events[i].events & EPOLLOUT) alive = advance(c);
                if (alive && events[i].events & EPOLLIN) alive = on_input(c);
                if (!alive) drop(c);
            }
        }
        /* After the batch: closing a stream here must not leave one of its events behind. */
        if (time_came) send_due_tokens();
        arm_timer();
    }
}
