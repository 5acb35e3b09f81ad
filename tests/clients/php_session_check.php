<?php
// Sessions of PHP kept in a memcached. The arguments are the handler, its path, `text` or `binary`, and, where this is
// one of the processes that count in one session, that session.
error_reporting(E_ALL & ~E_DEPRECATED);
set_error_handler(function ($level, $message) {
    if (error_reporting() & $level) throw new ErrorException($message);
});
[, $handler, $path, $protocol] = $argv;
const COUNTERS = 4, STEPS = 15;
$binary = $protocol === 'binary';
$settings = [
    'session.save_handler' => $handler,
    'session.save_path' => $path,
    'session.use_cookies' => '0',
    'session.use_only_cookies' => '0',
    'session.cache_limiter' => '',
    'session.gc_maxlifetime' => '1000',
    'memcached.sess_binary_protocol' => $binary ? '1' : '0',
    'memcached.sess_locking' => '1',
    // Short waits, and many of them: many processes want one session.
    'memcached.sess_lock_wait_min' => '5',
    'memcached.sess_lock_wait_max' => '20',
    'memcached.sess_lock_retries' => '2000',
    'memcache.protocol' => $binary ? 'binary' : 'ascii',
    'memcache.session_redundancy' => '1',
    'memcache.lock_timeout' => '30',
];
foreach ($settings as $name => $value) ini_set($name, $value);

function is($what, $got, $expected) {
    if ($got !== $expected) {
        throw new Exception("$what: got " . var_export($got, true) . ', not ' . var_export($expected, true));
    }
}

function open($id) {
    session_id($id);
    is('session_start', session_start(), true);
}

if (isset($argv[4])) {
    for ($i = 0; $i < STEPS; $i++) {
        open($argv[4]);
        $count = $_SESSION['count'] ?? 0;
        // Between read and write, where another must not come.
        usleep(500);
        $_SESSION['count'] = $count + 1;
        session_write_close();
    }
    exit;
}

// Sessions of this run alone.
$mark = getmypid();
open("first-$mark");
is('a new session', $_SESSION, []);
$data = ['user' => 'ü', 'list' => [1, 2.5, true, null], 'long' => str_repeat('word ', 30000)];
$_SESSION = $data;
session_write_close();
open("first-$mark");
is('read again', $_SESSION, $data);
unset($_SESSION['long']);
session_write_close();
open("second-$mark");
is('another session', $_SESSION, []);
session_write_close();
open("first-$mark");
is('what was taken out', isset($_SESSION['long']), false);
// The handler memcache keeps the lock of a session that was aborted, until its time is up.
if ($handler === 'memcached') {
    $_SESSION['user'] = 'nobody';
    session_abort();
    open("first-$mark");
}
is('what was kept', $_SESSION['user'], 'ü');
$old = session_id();
is('regenerate', session_regenerate_id(true), true);
$new = session_id();
session_write_close();
open($new);
is('under its new name', $_SESSION['user'], 'ü');
session_write_close();
open($old);
is('under its old name', $_SESSION, []);
session_write_close();
open($new);
is('destroy', session_destroy(), true);
open($new);
is('destroyed', $_SESSION, []);
session_write_close();

// A session is locked while it is open.
$counters = [];
for ($i = 0; $i < COUNTERS; $i++) {
    $counters[] = proc_open([PHP_BINARY, __FILE__, $handler, $path, $protocol, "counted-$mark"], [], $pipes);
}
foreach ($counters as $counter) is('a counter', proc_close($counter), 0);
open("counted-$mark");
is('counted', $_SESSION['count'], COUNTERS * STEPS);
session_write_close();
echo "done\n";
