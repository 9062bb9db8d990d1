# Reads commands until the process that writes them is gone, then ends and removes what it left.
# A shell, because it needs nothing but what every system has; see guardian.rs for why no crate does.
# $1 is the folder to remove at the end. Commands, one per line:
#   watch SIGNAL PGID   end this process group with SIGNAL
#   forget PGID         this process group has ended
#   remove              remove the file whose path is the whole next line
folder=$1
shift
trap '' HUP INT TERM QUIT
is_alive() {
  kill -s 0 -- "-$1" 2>/dev/null || return 1
  # A zombie (ended, not yet waited for) uses no files and no ports.
  case $(cat "/proc/$1/stat" 2>/dev/null) in *") Z "*) return 1 ;; esac
}
watched=
while read -r command first second; do
  case $command in
    watch) watched="$watched $first:$second" ;;
    forget)
      kept=
      for entry in $watched; do
        [ "${entry#*:}" = "$first" ] || kept="$kept $entry"
      done
      watched=$kept
      ;;
    remove)
      # Only a whole line is a whole path. A folder is never removed this way.
      IFS= read -r path || break
      case $path in /*) set -- "$@" "$path" ;; esac
      ;;
  esac
done
for entry in $watched; do
  kill -s "${entry%%:*}" -- "-${entry#*:}" 2>/dev/null
done
# At most five seconds for an orderly end.
attempt=0
while [ "$attempt" -lt 50 ]; do
  alive=
  for entry in $watched; do
    is_alive "${entry#*:}" && alive=yes
  done
  [ -n "$alive" ] || break
  sleep 0.1
  attempt=$((attempt + 1))
done
for entry in $watched; do
  kill -s KILL -- "-${entry#*:}" 2>/dev/null
done
rm -f -- "$@"
rm -rf -- "$folder"
# A process that was just killed may have written a last file.
[ -z "$alive" ] || { sleep 0.1; rm -rf -- "$folder"; }
