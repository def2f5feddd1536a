"""A workflow and a template as they were written for Knavigator, in its own dialect."""

from __future__ import annotations

JOB = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: "{{._NAME_}}"
  namespace: {{or .namespace "default"}}
  labels:
    number: {{.replicas}}
    {{- range $key, $value := .labels }}
    {{ $key }}: "{{ $value }}"
    {{- end }}
spec:
  parallelism: {{.replicas}}
  {{- if .ttl }}
  ttlSecondsAfterFinished: {{ .ttl }}
  {{- end }}
"""
REGISTER = """\
- id: register
  type: RegisterObj
  params:
    template: job.yml
    nameFormat: "job{{._ENUM_}}"
    podNameFormat: "{{._NAME_}}-[0-9]-.*"
    podCount: "{{.replicas}}"
"""
SUBMIT = """\
- id: job
  type: SubmitObj
  params: {refTaskId: register, params: {replicas: 2, labels: {}}}
"""
SETUP = REGISTER + SUBMIT
