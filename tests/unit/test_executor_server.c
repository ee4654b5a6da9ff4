/* The executor's socket: who may connect, which frames are taken, what a call's end does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fields.h"
#include "common/log.h"
#include "common/message.h"
#include "common/owned.h"
#include "executor/server/server.h"

static struct loop *loop;
static struct server *server;
static char folder[32], path[64];
static pthread_t thread;
static struct loop_source stopper;
static int stop_pipe[2];
static _Atomic int cancelled;
static struct call *held;
static _Atomic int nested;
static bool answering;

/* FRAME_INFO is answered at once, with its own fields. */
static void handle_echo(void *context, struct call *call)
{
	AUTO_BUFFER fields = BUFFER_INIT(0);

	assert_ptr_equal(context, &cancelled);
	nested += answering;
	answering = true;
	call_output(call, 0, "out", 3);
	call_output(call, 1, "err", 3);
	buffer_append(&fields, call->fields, call->length);
	call_finish(call, FRAME_REPLY, &fields);
	answering = false;
}

static void on_cancel(struct call *call)
{
	assert_ptr_equal(call, held);
	held = NULL;
	cancelled++;
}

/* FRAME_EXECUTE is never answered. */
static void handle_hold(void *context, struct call *call)
{
	(void)context;
	held = call;
	call->cancel = on_cancel;
}

static void handle_refuse(void *context, struct call *call)
{
	(void)context;
	call_refuse(call, REFUSAL_INVALID, FIELD_WALL_MS, "expected %d", 5);
}

enum { FLOOD_BYTES = 16 << 20 };
static uint32_t flood_chunk[4 << 10];
static _Atomic uint32_t flooded;

static void flood(struct call *call)
{
	AUTO_BUFFER fields = BUFFER_INIT(0);

	while (flooded < FLOOD_BYTES) {
		if (!call_has_room(call))
			return; /* and is called again */
		flood_chunk[0] = flooded / (uint32_t)sizeof flood_chunk;
		call_output(call, 0, flood_chunk, sizeof flood_chunk);
		flooded += (uint32_t)sizeof flood_chunk;
	}
	call_finish(call, FRAME_REPLY, &fields);
}

static void handle_flood(void *context, struct call *call)
{
	(void)context;
	call->has_room = flood;
	flood(call);
}

static const struct operation operations[] = {
	[FRAME_EXECUTE] = { 100, handle_hold },
	[FRAME_SESSION_RUN] = { 100, handle_flood },
	[FRAME_SESSION_CREATE] = { 100, handle_refuse },
	[FRAME_INFO] = { 100, handle_echo },
};

static void on_stop(struct loop_source *source, uint32_t events)
{
	(void)source;
	(void)events;
	loop_stop(loop);
}

static void *serve(void *argument)
{
	loop_run(argument); /* not the global: a test may have another by now */
	return NULL;
}

static int open_server(uid_t peer)
{
	return server_new(
		&(struct server_config){ .loop = loop,
					 .path = path,
					 .peer = peer,
					 .operations = operations,
					 .operation_count = sizeof operations / sizeof *operations,
					 .context = &cancelled },
		&server);
}

static int set_up(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	strcpy(folder, "/tmp/server-XXXXXX");
	if (!mkdtemp(folder) || loop_new(&loop) || pipe(stop_pipe))
		return -1;
	chmod(folder, 0755);
	snprintf(path, sizeof path, "%s/socket", folder);
	cancelled = 0;
	held = NULL;
	loop_add(loop, &stopper, stop_pipe[0], EPOLLIN, on_stop);
	if (open_server(getuid()))
		return -1;
	return pthread_create(&thread, NULL, serve, loop);
}

static int tear_down(void **state)
{
	(void)state;
	close(stop_pipe[1]);
	pthread_join(thread, NULL);
	server_free(server);
	loop_remove(loop, &stopper);
	loop_free(loop);
	close(stop_pipe[0]);
	if (access(path, F_OK) == 0) /* it removes its socket */
		return -1;
	return rmdir(folder);
}

static int dial(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct timeval patience = { .tv_sec = 20 };

	strcpy(address.sun_path, path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

static void send_frame(int fd, uint8_t version, uint8_t type, uint32_t number, const void *payload,
		       size_t length)
{
	uint8_t bytes[FRAME_HEADER_BYTES];

	frame_encode_header(&(struct frame_header){ (uint32_t)length, version, type, number },
			    bytes);
	assert_int_equal(frame_write_all(fd, bytes, sizeof bytes), 0);
	if (payload)
		assert_int_equal(frame_write_all(fd, payload, length), 0);
}

/* The next frame's type; 0 at the end. */
static unsigned receive(int fd, uint32_t number, struct buffer *ret_payload)
{
	uint8_t bytes[FRAME_HEADER_BYTES];
	struct frame_header header;
	ssize_t got = recv(fd, bytes, sizeof bytes, MSG_WAITALL);

	if (got == 0 || (got < 0 && errno == ECONNRESET))
		return 0;
	assert_int_equal(got, sizeof bytes);
	assert_int_equal(frame_decode_header(bytes, FRAME_FINAL_MAX, &header), 0);
	assert_int_equal(header.number, number);
	buffer_reset(ret_payload);
	assert_int_equal(buffer_reserve(ret_payload, header.length + 1), 0);
	if (header.length)
		assert_int_equal(recv(fd, ret_payload->data, header.length, MSG_WAITALL),
				 header.length);
	ret_payload->length = header.length;
	return header.type;
}

static void check_works(int fd)
{
	AUTO_BUFFER payload = BUFFER_INIT(0);

	send_frame(fd, PROTOCOL_VERSION, FRAME_INFO, 9, NULL, 0);
	assert_int_equal(receive(fd, 9, &payload), FRAME_STDOUT);
	assert_memory_equal(payload.data, "out", 3);
	assert_int_equal(receive(fd, 9, &payload), FRAME_STDERR);
	assert_int_equal(receive(fd, 9, &payload), FRAME_REPLY);
}

static void check_dropped(int fd)
{
	AUTO_BUFFER payload = BUFFER_INIT(0);
	int other = dial();

	assert_int_equal(receive(fd, 0, &payload), 0);
	close(fd);
	check_works(other); /* nobody else is harmed */
	close(other);
}

static void test_calls(void **state)
{
	AUTO_BUFFER fields = BUFFER_INIT(0), payload = BUFFER_INIT(0);
	int fd = dial();

	(void)state;
	for (int i = 0; i < 3; i++)
		check_works(fd);
	fields_put_text(&fields, FIELD_REQUEST_ID, "some id");
	send_frame(fd, PROTOCOL_VERSION, FRAME_INFO, 77, fields.data, fields.length);
	receive(fd, 77, &payload);
	receive(fd, 77, &payload);
	assert_int_equal(receive(fd, 77, &payload), FRAME_REPLY);
	assert_int_equal(payload.length, fields.length);
	assert_memory_equal(payload.data, fields.data, fields.length);
	close(fd);
}

static void test_refusals_are_described(void **state)
{
	AUTO_BUFFER payload = BUFFER_INIT(0);
	struct field_view field;
	int fd = dial();

	(void)state;
	send_frame(fd, PROTOCOL_VERSION, FRAME_SESSION_CREATE, 1, NULL, 0);
	assert_int_equal(receive(fd, 1, &payload), FRAME_REFUSAL);
	assert_int_equal(fields_number(payload.data, payload.length, FIELD_REFUSAL, 99),
			 REFUSAL_INVALID);
	assert_int_equal(fields_find(payload.data, payload.length, FIELD_FIELD_NAME, &field), 1);
	assert_memory_equal(field.value, "wall_ms", field.length);
	assert_int_equal(fields_find(payload.data, payload.length, FIELD_MESSAGE, &field), 1);
	assert_memory_equal(field.value, "expected 5", field.length);
	check_works(fd);
	close(fd);
}

static void test_bad_frames(void **state)
{
	static const uint8_t nonsense[] = { 0xff, 0xff, 0, 0, 0, 0, 0, 0 };
	char zeros[200] = "";
	int fd;

	(void)state;
	send_frame(fd = dial(), PROTOCOL_VERSION + 1, FRAME_INFO, 0, NULL, 0);
	check_dropped(fd);
	send_frame(fd = dial(), 0, FRAME_INFO, 0, NULL, 0);
	check_dropped(fd);
	send_frame(fd = dial(), PROTOCOL_VERSION, 0, 0, NULL, 0); /* no such type */
	check_dropped(fd);
	send_frame(fd = dial(), PROTOCOL_VERSION, 255, 0, NULL, 0);
	check_dropped(fd);
	send_frame(fd = dial(), PROTOCOL_VERSION, FRAME_OUTCOME, 0, NULL,
		   0); /* the wrong way round */
	check_dropped(fd);
	send_frame(fd = dial(), PROTOCOL_VERSION, FRAME_SESSION_UNDO, 0, NULL,
		   0); /* has no handler */
	check_dropped(fd);
	send_frame(fd = dial(), PROTOCOL_VERSION, FRAME_INFO, 0, zeros,
		   101); /* this type's most is 100 */
	check_dropped(fd);
	send_frame(fd = dial(), PROTOCOL_VERSION, FRAME_INFO, 0, nonsense, sizeof nonsense);
	check_dropped(fd);
	/* refused by its length alone, before anything of it has come */
	send_frame(fd = dial(), PROTOCOL_VERSION, FRAME_INFO, 0, NULL, FRAME_REQUEST_MAX + 1);
	check_dropped(fd);
	send_frame(fd = dial(), PROTOCOL_VERSION, FRAME_INFO, 0, NULL, UINT32_MAX);
	check_dropped(fd);
}

static void test_half_a_frame_and_gone(void **state)
{
	int fd = dial();

	(void)state;
	assert_int_equal(frame_write_all(fd, "\x05\0\0", 3), 0);
	shutdown(fd, SHUT_WR);
	check_dropped(fd);
}

static void wait_cancelled(int count)
{
	for (int i = 0; cancelled < count && i < 10000; i++)
		usleep(1000);
	assert_int_equal(cancelled, count);
}

static void test_hanging_up_cancels(void **state)
{
	int fd = dial();

	(void)state;
	send_frame(fd, PROTOCOL_VERSION, FRAME_EXECUTE, 1, NULL, 0);
	close(fd);
	wait_cancelled(1);
	fd = dial();
	check_works(fd);
	close(fd);
}

/* 16 MiB to one who reads later: it all comes, in order, and little of it waits. */
static void test_streams_wait_for_their_reader(void **state)
{
	AUTO_BUFFER payload = BUFFER_INIT(0);
	int fd = dial();
	uint32_t expected = 0;

	(void)state;
	flooded = 0;
	send_frame(fd, PROTOCOL_VERSION, FRAME_SESSION_RUN, 3, NULL, 0);
	for (int i = 0; !flooded && i < 10000; i++)
		usleep(1000);
	usleep(20000);                               /* it would go on now */
	assert_in_range(flooded, 64 << 10, 1 << 20); /* what waits, and the socket's own */
	while (receive(fd, 3, &payload) == FRAME_STDOUT) {
		assert_int_equal(payload.length, sizeof(flood_chunk));
		assert_memory_equal(payload.data, &expected, sizeof expected);
		expected++;
	}
	assert_int_equal(expected * sizeof flood_chunk, FLOOD_BYTES);
	check_works(fd);
	close(fd);
}

/* One call at a time: the second waits for the first, and is not lost. */
static void test_calls_in_a_row(void **state)
{
	AUTO_BUFFER payload = BUFFER_INIT(0);
	int fd = dial();

	(void)state;
	send_frame(fd, PROTOCOL_VERSION, FRAME_EXECUTE, 1, NULL, 0);
	send_frame(fd, PROTOCOL_VERSION, FRAME_INFO, 2, NULL, 0);
	struct pollfd readable = { .fd = fd, .events = POLLIN };
	assert_int_equal(poll(&readable, 1, 50), 0);
	close(fd);
	wait_cancelled(1);
	fd = dial();
	send_frame(fd, PROTOCOL_VERSION, FRAME_INFO, 1, NULL, 0);
	send_frame(fd, PROTOCOL_VERSION, FRAME_INFO, 2, NULL, 0);
	for (uint32_t number = 1; number <= 2; number++) {
		receive(fd, number, &payload);
		receive(fd, number, &payload);
		assert_int_equal(receive(fd, number, &payload), FRAME_REPLY);
	}
	close(fd);
}

/* However many wait: none begins while another's answer is on its way. */
static void test_a_pile_of_calls(void **state)
{
	enum { PILE = 4000 };
	static uint8_t bytes[PILE * FRAME_HEADER_BYTES];
	AUTO_BUFFER payload = BUFFER_INIT(0);
	int fd = dial();

	(void)state;
	nested = 0;
	for (uint32_t i = 0; i < PILE; i++)
		frame_encode_header(&(struct frame_header){ 0, PROTOCOL_VERSION, FRAME_INFO, i },
				    bytes + i * FRAME_HEADER_BYTES);
	assert_int_equal(frame_write_all(fd, bytes, sizeof bytes), 0);
	for (uint32_t i = 0; i < PILE; i++) {
		receive(fd, i, &payload);
		receive(fd, i, &payload);
		assert_int_equal(receive(fd, i, &payload), FRAME_REPLY);
	}
	assert_int_equal(nested, 0);
	close(fd);
}

static void test_socket_is_closed_to_others(void **state)
{
	struct stat info;

	(void)state;
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
	assert_int_equal(info.st_uid, getuid());
}

/* Even if the file's mode let them: the kernel says who connects. */
static void test_another_user_is_refused(void **state)
{
	int status;

	(void)state;
	if (geteuid() != 0) {
		print_message("becoming another user takes root\n");
		skip();
	}
	chmod(path, 0666);
	pid_t pid = fork();
	if (pid == 0) {
		struct sockaddr_un address = { .sun_family = AF_UNIX };
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		uint8_t bytes[FRAME_HEADER_BYTES], answer;

		strcpy(address.sun_path, path);
		if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
			_exit(2);
		if (connect(fd, (struct sockaddr *)&address, sizeof address))
			_exit(3);
		frame_encode_header(&(struct frame_header){ 0, PROTOCOL_VERSION, FRAME_INFO, 1 },
				    bytes);
		(void)frame_write_all(fd, bytes, sizeof bytes);
		_exit(recv(fd, &answer, 1, 0) <= 0 ? 0 : 4);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	int fd = dial();
	check_works(fd);
	close(fd);
}

static void test_stale_and_living_sockets(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct server *kept = server;

	(void)state;
	assert_int_equal(open_server(getuid()), -EADDRINUSE);
	assert_ptr_equal(server, kept);

	/* a socket file that nobody listens on any more */
	char mine[64];
	strcpy(mine, path);
	snprintf(path, sizeof path, "%s/stale", folder);
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	close(fd);
	struct loop *served = loop;
	struct loop *idle = NULL;
	assert_int_equal(loop_new(&idle), 0);
	loop = idle;
	assert_int_equal(open_server(getuid()), 0);
	server_free(server);
	assert_int_not_equal(access(path, F_OK), 0);
	loop_free(idle);
	loop = served;
	server = kept;
	strcpy(path, mine);
}

#define SERVER_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVER_TEST(test_calls),
		SERVER_TEST(test_refusals_are_described),
		SERVER_TEST(test_bad_frames),
		SERVER_TEST(test_half_a_frame_and_gone),
		SERVER_TEST(test_hanging_up_cancels),
		SERVER_TEST(test_streams_wait_for_their_reader),
		SERVER_TEST(test_calls_in_a_row),
		SERVER_TEST(test_a_pile_of_calls),
		SERVER_TEST(test_socket_is_closed_to_others),
		SERVER_TEST(test_another_user_is_refused),
		SERVER_TEST(test_stale_and_living_sockets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
