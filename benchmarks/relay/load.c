/* A load generator for one URL: N keep-alive connections, one request in
 * flight on each, every response read to its last byte.
 *
 *   load --port P [--host 127.0.0.1] [--path /] [--body FILE] [--header 'K: V']...
 *        [--connections N] [--duration S | --requests N] [--ramp S] [--stall S] [--sse]
 *
 * Prints one JSON object. After --duration no request is started, but those in
 * flight are finished and counted, and "seconds" includes that time. --ramp
 * spreads the first requests over a time. With --sse the events of a stream are
 * counted and timed, and a stream that does not end in [DONE] is an error. A run
 * in which no byte arrives for --stall seconds is ended, its open requests
 * counted as errors. */
#define _GNU_SOURCE
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HEAD_LIMIT = 16 * 1024,
    SCRATCH = 256 * 1024,
    EVENTS = 512,
    MAX_HEADERS = 32,
    MAX_ERRORS = 1000, /* a target this broken is not worth more load */
};

/* ---- numbers ------------------------------------------------------------ */

struct series {
    float *values;
    size_t len, capacity;
};

static void add(struct series *s, double value) {
    if (s->len == s->capacity) {
        s->capacity = s->capacity ? s->capacity * 2 : 1 << 16;
        s->values = realloc(s->values, s->capacity * sizeof *s->values);
        if (!s->values) abort();
    }
    s->values[s->len++] = (float)value;
}

static int ascending(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Nearest-rank percentile of a sorted series; 0 for an empty one. */
static double percentile(const struct series *s, double p) {
    if (s->len == 0) return 0;
    size_t rank = (size_t)(p / 100 * (double)s->len + 0.999999);
    return (double)s->values[rank == 0 ? 0 : rank > s->len ? s->len - 1 : rank - 1];
}

static struct series latency_us, first_byte_ms, gap_ms;
static uint64_t count_responses, count_ok, count_events, count_bytes, count_reconnects;
static uint64_t err_status, err_broken, err_connect, err_incomplete, err_stalled;

static uint64_t error_count(void) {
    return err_status + err_broken + err_connect + err_incomplete + err_stalled;
}

/* ---- options ------------------------------------------------------------ */

static struct {
    const char *host, *path, *body_file;
    const char *headers[MAX_HEADERS];
    int header_count, port, connections;
    uint64_t requests;
    double duration, ramp, stall;
    bool sse;
} opt = {.host = "127.0.0.1", .path = "/", .connections = 1, .stall = 30};

static char *request; /* head and body, ready to send */
static size_t request_len;

static _Noreturn void fail(const char *why, const char *what) {
    fprintf(stderr, "load: %s%s%s\n", why, what ? ": " : "", what ? what : "");
    exit(2);
}

static void read_options(int argc, char **argv) {
    enum { HOST = 1, PORT, PATH, BODY, HEADER, CONNECTIONS, DURATION, REQUESTS, RAMP, STALL, SSE };
    static const struct option options[] = {
        {"host", 1, 0, HOST},         {"port", 1, 0, PORT},
        {"path", 1, 0, PATH},         {"body", 1, 0, BODY},
        {"header", 1, 0, HEADER},     {"connections", 1, 0, CONNECTIONS},
        {"duration", 1, 0, DURATION}, {"requests", 1, 0, REQUESTS},
        {"ramp", 1, 0, RAMP},         {"stall", 1, 0, STALL},
        {"sse", 0, 0, SSE},           {0, 0, 0, 0},
    };
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (o) {
        case HOST: opt.host = optarg; break;
        case PORT: opt.port = atoi(optarg); break;
        case PATH: opt.path = optarg; break;
        case BODY: opt.body_file = optarg; break;
        case HEADER:
            if (opt.header_count == MAX_HEADERS) fail("too many headers", NULL);
            opt.headers[opt.header_count++] = optarg;
            break;
        case CONNECTIONS: opt.connections = atoi(optarg); break;
        case DURATION: opt.duration = atof(optarg); break;
        case REQUESTS: opt.requests = strtoull(optarg, NULL, 10); break;
        case RAMP: opt.ramp = atof(optarg); break;
        case STALL: opt.stall = atof(optarg); break;
        case SSE: opt.sse = true; break;
        default: exit(2);
        }
    }
    if (opt.port < 1 || opt.connections < 1) fail("--port and --connections must be positive", NULL);
    if ((opt.duration > 0) == (opt.requests > 0)) fail("give --duration or --requests", NULL);
}

static void prepare_request(void) {
    char *body = NULL;
    size_t body_len = 0, head_len;
    if (opt.body_file) {
        FILE *f = fopen(opt.body_file, "rb");
        if (!f || fseek(f, 0, SEEK_END)) fail("cannot read the body", opt.body_file);
        body_len = (size_t)ftell(f);
        rewind(f);
        body = malloc(body_len + 1);
        if (!body || fread(body, 1, body_len, f) != body_len) fail("cannot read", opt.body_file);
        fclose(f);
    }
    FILE *out = open_memstream(&request, &request_len);
    fprintf(out, "%s %s HTTP/1.1\r\nHost: %s:%d\r\nAccept: */*\r\n", body ? "POST" : "GET",
            opt.path, opt.host, opt.port);
    for (int i = 0; i < opt.header_count; i++) fprintf(out, "%s\r\n", opt.headers[i]);
    if (body)
        fprintf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body_len);
    head_len = (size_t)fprintf(out, "\r\n");
    if (body) fwrite(body, 1, body_len, out);
    if (fclose(out) || !head_len) fail("out of memory", NULL);
    free(body);
}

/* ---- connections -------------------------------------------------------- */

enum framing { BY_LENGTH, BY_CHUNKS, BY_CLOSE };

struct conn {
    int fd; /* -1: closed */
    bool connecting, wants_write, busy, head_done, keep_alive, body_began, sse_done;
    size_t sent;
    enum framing framing;
    int status;
    uint64_t body_left;
    struct chunked chunks;
    uint64_t began_ns, event_ns;
    unsigned done_match, newline_run; /* where in "[DONE]", how many '\n' in a row */
    size_t head_len;
    char head[HEAD_LIMIT];
};

static int epoll_fd;
static struct sockaddr_in address;
static struct conn *conns;
static uint64_t started, in_flight, deadline_ns, last_byte_ns;
static bool stopping;

static bool may_start(void) {
    if (stopping) return false;
    return opt.requests ? started < opt.requests : now_ns() < deadline_ns;
}

static void watch(struct conn *c, int op, bool write) {
    struct epoll_event e = {.events = EPOLLIN | (write ? EPOLLOUT : 0u), .data.ptr = c};
    epoll_ctl(epoll_fd, op, c->fd, &e);
    c->wants_write = write;
}

static void shut(struct conn *c) {
    if (c->busy) in_flight--;
    c->busy = false;
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
}

static void open_connection(struct conn *c) {
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) fail("socket", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->connecting = connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0;
    if (c->connecting && errno != EINPROGRESS) {
        err_connect++;
        stopping = true; /* refused at once: nobody listens */
        shut(c);
        return;
    }
    watch(c, EPOLL_CTL_ADD, true);
}

/* Sends what the socket takes; false when the connection is gone. */
static bool send_more(struct conn *c) {
    while (c->sent < request_len) {
        ssize_t n = send(c->fd, request + c->sent, request_len - c->sent, MSG_NOSIGNAL);
        if (n > 0) {
            c->sent += (size_t)n;
        } else if (errno == EAGAIN) {
            if (!c->wants_write) watch(c, EPOLL_CTL_MOD, true);
            return true;
        } else if (errno != EINTR) {
            return false;
        }
    }
    if (c->wants_write) watch(c, EPOLL_CTL_MOD, false);
    return true;
}

static void lose(struct conn *c);

/* Starts the next request, on a new connection if need be. */
static void start(struct conn *c) {
    if (!may_start()) return;
    if (c->fd < 0) {
        if (error_count() >= MAX_ERRORS) stopping = true;
        else open_connection(c);
        return; /* goes on when the socket becomes writable */
    }
    started++;
    in_flight++;
    c->busy = true;
    c->sent = c->head_len = 0;
    c->head_done = c->body_began = c->sse_done = false;
    c->done_match = c->newline_run = 0;
    c->event_ns = 0;
    c->began_ns = now_ns();
    if (!send_more(c)) lose(c);
}

/* The connection ended in the middle of a request. */
static void lose(struct conn *c) {
    if (c->busy) err_broken++;
    else if (c->connecting) err_connect++;
    shut(c);
    if (may_start()) {
        count_reconnects++;
        start(c);
    }
}

static void finish(struct conn *c, bool reusable) {
    add(&latency_us, (double)(last_byte_ns - c->began_ns) / 1e3);
    count_responses++;
    if (c->status != 200) err_status++;
    else if (opt.sse && !c->sse_done) err_incomplete++;
    else count_ok++;
    if (error_count() >= MAX_ERRORS) stopping = true;
    if (reusable && c->keep_alive && c->sent == request_len) {
        in_flight--;
        c->busy = false;
    } else {
        shut(c);
        if (may_start()) count_reconnects++;
    }
    start(c);
}

/* ---- a response --------------------------------------------------------- */

static bool read_head(struct conn *c, struct span *in) {
    size_t before = c->head_len, room = HEAD_LIMIT - before;
    size_t run = in->len < room ? in->len : room;
    memcpy(c->head + before, in->at, run);
    c->head_len += run;
    size_t len = head_length(c->head, c->head_len);
    if (len == 0) {
        in->len = 0;
        return c->head_len < HEAD_LIMIT;
    }
    in->at += len - before;
    in->len -= len - before;
    c->head_len = 0;

    struct span head = {c->head, len}, value;
    if (len < 15 || memcmp(head.at, "HTTP/1.", 7)) return false;
    c->status = (int)span_number((struct span){head.at + 9, 3});
    if (c->status >= 100 && c->status < 200) return true; /* interim: the real head follows */
    c->head_done = true;
    c->keep_alive = head.at[7] == '1';
    if (find_header(head, "connection", &value)) {
        if (span_has(value, "close")) c->keep_alive = false;
        else if (span_has(value, "keep-alive")) c->keep_alive = true;
    }
    c->framing = c->status == 204 ? BY_LENGTH : BY_CLOSE;
    c->body_left = 0;
    if (find_header(head, "transfer-encoding", &value) && span_has(value, "chunked")) {
        c->framing = BY_CHUNKS;
        c->chunks = (struct chunked){0};
    } else if (find_header(head, "content-length", &value)) {
        int64_t n = span_number(value);
        if (n < 0) return false;
        c->framing = BY_LENGTH;
        c->body_left = (uint64_t)n;
    }
    return true;
}

/* Counts and times server-sent events: an event ends with an empty line. */
static void read_events(struct conn *c, struct span data) {
    static const char done[] = "[DONE]";
    for (size_t i = 0; i < data.len; i++) {
        char b = data.at[i];
        if (b == done[c->done_match]) c->sse_done |= ++c->done_match == sizeof done - 1;
        else c->done_match = b == done[0];
        if (c->done_match == sizeof done - 1) c->done_match = 0;
        if (b == '\r') continue;
        c->newline_run = b == '\n' ? c->newline_run + 1 : 0;
        if (c->newline_run != 2) continue;
        c->newline_run = 0;
        count_events++;
        if (c->event_ns) add(&gap_ms, (double)(last_byte_ns - c->event_ns) / 1e6);
        c->event_ns = last_byte_ns;
    }
}

static void take_body(struct conn *c, struct span data) {
    if (data.len == 0) return;
    count_bytes += data.len;
    if (!opt.sse) return;
    /* The first byte of the body: a head without a token is of no use to a reader. */
    if (!c->body_began) add(&first_byte_ms, (double)(last_byte_ns - c->began_ns) / 1e6);
    c->body_began = true;
    read_events(c, data);
}

enum outcome { PARTIAL, COMPLETE, BROKEN };

static enum outcome read_body(struct conn *c, struct span *in) {
    while (in->len > 0 || (c->framing == BY_LENGTH && c->body_left == 0)) {
        struct span data = *in;
        if (c->framing == BY_CHUNKS) {
            size_t used = chunked_read(&c->chunks, in->at, in->len, &data);
            in->at += used;
            in->len -= used;
        } else {
            if (c->framing == BY_LENGTH && data.len > c->body_left) data.len = (size_t)c->body_left;
            if (c->framing == BY_LENGTH) c->body_left -= data.len;
            in->at += data.len;
            in->len -= data.len;
        }
        take_body(c, data);
        if (c->framing == BY_CHUNKS && c->chunks.state == CHUNK_BAD) return BROKEN;
        if (c->framing == BY_CHUNKS && c->chunks.state == CHUNK_DONE) return COMPLETE;
        if (c->framing == BY_LENGTH && c->body_left == 0) return COMPLETE;
    }
    return PARTIAL;
}

static void on_input(struct conn *c) {
    static char scratch[SCRATCH];
    ssize_t n = recv(c->fd, scratch, sizeof scratch, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    last_byte_ns = now_ns();
    if (n <= 0) {
        if (n == 0 && c->busy && c->head_done && c->framing == BY_CLOSE) finish(c, false);
        else lose(c);
        return;
    }
    struct span in = {scratch, (size_t)n};
    enum outcome result = c->busy ? PARTIAL : BROKEN; /* bytes nobody asked for */
    while (result == PARTIAL && !c->head_done && in.len > 0)
        if (!read_head(c, &in)) result = BROKEN;
    if (result == PARTIAL && c->head_done) result = read_body(c, &in);
    if (result == COMPLETE && in.len > 0) result = BROKEN;
    if (result == COMPLETE) finish(c, true);
    else if (result == BROKEN) lose(c);
}

static void on_event(struct conn *c, uint32_t events) {
    if (c->connecting) {
        int error = 0;
        socklen_t len = sizeof error;
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
        if (error) {
            lose(c);
            return;
        }
        c->connecting = false;
    }
    if (!c->busy && events & EPOLLOUT) {
        watch(c, EPOLL_CTL_MOD, false);
        start(c);
    } else if (c->busy && events & EPOLLOUT && !send_more(c)) {
        lose(c);
    } else if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        on_input(c);
    }
}

/* ---- the run ------------------------------------------------------------ */

static uint64_t run(void) {
    static struct epoll_event events[EVENTS];
    uint64_t begin = now_ns(), ramp_ns = (uint64_t)(opt.ramp * 1e9);
    uint64_t stall_ns = (uint64_t)(opt.stall * 1e9);
    int opened = 0;
    last_byte_ns = begin;
    deadline_ns = begin + (uint64_t)(opt.duration * 1e9);
    for (;;) {
        uint64_t now = now_ns();
        while (opened < opt.connections && may_start() &&
               now - begin >= ramp_ns / (uint64_t)opt.connections * (uint64_t)opened)
            start(&conns[opened++]);
        if (in_flight == 0 && !may_start()) break;
        int n = epoll_wait(epoll_fd, events, EVENTS, opened < opt.connections ? 1 : 100);
        if (n < 0 && errno != EINTR) fail("epoll_wait", strerror(errno));
        for (int i = 0; i < n; i++) on_event(events[i].data.ptr, events[i].events);
        now = now_ns();
        if (now > last_byte_ns && now - last_byte_ns > stall_ns) {
            err_stalled += in_flight ? in_flight : 1;
            break;
        }
    }
    return last_byte_ns - begin;
}

static void print_series(const char *name, struct series *s, bool p90, bool max) {
    if (s->len) qsort(s->values, s->len, sizeof *s->values, ascending);
    printf("\"%s\":{\"p50\":%.3f,", name, percentile(s, 50));
    if (p90) printf("\"p90\":%.3f,", percentile(s, 90));
    printf("\"p99\":%.3f", percentile(s, 99));
    if (max) printf(",\"max\":%.3f", percentile(s, 100));
    printf("}");
}

static void print_report(double seconds) {
    printf("{\"requests\":%llu,\"ok\":%llu,\"errors\":%llu,\"seconds\":%.6f,\"rps\":%.3f,",
           (unsigned long long)count_responses, (unsigned long long)count_ok,
           (unsigned long long)error_count(), seconds,
           seconds > 0 ? (double)count_ok / seconds : 0.0);
    printf("\"bytes\":%llu,\"reconnects\":%llu,", (unsigned long long)count_bytes,
           (unsigned long long)count_reconnects);
    printf("\"error_kinds\":{\"status\":%llu,\"broken\":%llu,\"connect\":%llu,"
           "\"incomplete\":%llu,\"stalled\":%llu},",
           (unsigned long long)err_status, (unsigned long long)err_broken,
           (unsigned long long)err_connect, (unsigned long long)err_incomplete,
           (unsigned long long)err_stalled);
    print_series("latency_us", &latency_us, true, true);
    if (opt.sse) {
        printf(",\"sse\":{\"events\":%llu,", (unsigned long long)count_events);
        print_series("ttfb_ms", &first_byte_ms, false, false);
        printf(",");
        print_series("gap_ms", &gap_ms, false, true);
        printf("}");
    }
    printf("}\n");
}

int main(int argc, char **argv) {
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* never outlive the benchmark */
    read_options(argc, argv);
    prepare_request();
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port)};
    if (inet_pton(AF_INET, opt.host, &address.sin_addr) != 1) fail("not an IPv4 address", opt.host);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    conns = calloc((size_t)opt.connections, sizeof *conns);
    if (!conns) fail("out of memory", NULL);
    for (int i = 0; i < opt.connections; i++) conns[i].fd = -1;
    print_report((double)run() / 1e9);
    return 0;
}
