<?php
// How PHP's Memcached logs in. The arguments are the server's port, the user and the password.
[, $port, $user, $password] = $argv;

function outcome($login) {
    global $port;
    $cache = new Memcached();
    $cache->setOption(Memcached::OPT_BINARY_PROTOCOL, true);
    if ($login) $cache->setSaslAuthData(...$login);
    $cache->addServer('127.0.0.1', (int) $port);
    $cache->set('key', 'value');
    return $cache->get('key');
}

if (outcome([$user, $password]) !== 'value') throw new Exception('the right password is refused');
foreach ([[$user, 'guess'], ['eve', $password], null] as $login) {
    if (outcome($login) !== false) throw new Exception('a wrong login is taken');
}
echo "done\n";
