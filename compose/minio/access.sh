#!/bin/sh
# Buckets, and the pipeline's user with the rights of policy.json. Safe to repeat.
set -eu
root_user=$(cat /run/secrets/minio_root_user)
root_pass=$(cat /run/secrets/minio_root_pass)
user=$(cat /run/secrets/minio_user)
pass=$(cat /run/secrets/minio_pass)
export MC_HOST_segue="http://${root_user}:${root_pass}@minio:9000"
for bucket in landing data serving; do
  mc mb --ignore-existing "segue/${bucket}"
done
mc admin policy create segue segue-pipeline /policy.json
printf '%s\n%s\n' "${user}" "${pass}" | mc admin user add segue
if ! said=$(mc admin policy attach segue segue-pipeline --user "${user}" 2>&1); then
  case "${said}" in
    *'already in effect'*) ;;
    *)
      echo "${said}" >&2
      exit 1
      ;;
  esac
fi
