{{/*
What all pods have in common. Takes `root` and `container`, the rest of it; `serviceAccount` and `resources` if they are
not those of the values.
*/}}
{{- define "knavtool.pod" -}}
{{- $root := .root -}}
{{- $values := $root.Values -}}
serviceAccountName: {{ .serviceAccount | default (include "knavtool.serviceAccountName" $root) }}
# For a Service called `knavtool` Kubernetes would set KNAVTOOL_PORT and the like, as if they were options.
enableServiceLinks: false
{{- with $values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
- name: {{ . }}
{{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  {{- if and (eq $values.mode "job") $values.reports.persistentVolumeClaim (not .serviceAccount) }}
  # So that the claim can be written to.
  fsGroup: 65532
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
affinity:
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms:
      # Nothing would run on a virtual node.
      - matchExpressions:
        - key: type
          operator: NotIn
          values: [kwok]
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
{{ toYaml . }}
{{- end }}
containers:
- name: knavtool
  image: {{ printf "%s:%s" $values.image.repository ($values.image.tag | default $root.Chart.AppVersion) | quote }}
  imagePullPolicy: {{ $values.image.pullPolicy }}
  env:
  # The only directory that can be written to; Helm keeps its own files in its home.
  - name: HOME
    value: /tmp
  securityContext:
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities:
      drop: [ALL]
  resources:
    {{- toYaml (.resources | default $values.resources) | nindent 4 }}
  {{- .container | nindent 2 }}
{{- end -}}
