<?php
// What is no file is WordPress's, as a web server would have it.
$root = getenv('WORDPRESS');
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if ($path !== '/' && is_file($root . $path)) {
    return false;
}
$_SERVER['SCRIPT_NAME'] = '/index.php';
chdir($root);
require "$root/index.php";
