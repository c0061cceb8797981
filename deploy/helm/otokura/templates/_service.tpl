{{/*
One service is a Deployment, a Service, a disruption budget and a NetworkPolicy. Each template below takes
(dict "root" $ "name" "<service>" …) so that the four services differ only where they must.
*/}}

{{- define "otokura.labels" -}}
app.kubernetes.io/part-of: otokura
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{- define "otokura.annotatedLabels" -}}
{{ include "otokura.labels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "otokura.fullname" -}}
{{ printf "%s-%s" .root.Release.Name .name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "otokura.s3Endpoint" -}}
{{- if .Values.s3.endpoint -}}
{{ .Values.s3.endpoint }}
{{- else if .Values.minio.enabled -}}
http://{{ include "otokura.fullname" (dict "root" . "name" "minio") }}:9000
{{- else -}}
{{ fail "set s3.endpoint, or minio.enabled" }}
{{- end -}}
{{- end }}

{{- define "otokura.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "otokura.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "otokura.secretEnv" -}}
- name: {{ .env }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .key }}
      {{- if .optional }}
      optional: true
      {{- end }}
{{- end }}

{{/* Whether a service has an identity of its own in Vault: the three that keep wrapped keys. */}}
{{- define "otokura.keys.inVault" -}}
{{- if and (eq .root.Values.keys.provider "vault") (has .name (list "ingest" "transcribe" "access")) }}yes{{ end -}}
{{- end }}

{{/* Where key-encryption keys are. */}}
{{- define "otokura.keys.env" -}}
{{- if include "otokura.keys.inVault" . -}}
{{- with .root.Values.keys.vault -}}
- name: OTOKURA_KEY_PROVIDER
  value: vault
- name: OTOKURA_VAULT_ADDRESS
  value: {{ required "set keys.vault.address" .address | quote }}
- name: OTOKURA_VAULT_MOUNT
  value: {{ .mount | quote }}
- name: OTOKURA_VAULT_KUBERNETES_ROLE
  value: otokura-{{ $.name }}
- name: OTOKURA_VAULT_KUBERNETES_MOUNT
  value: {{ .kubernetesMount | quote }}
- name: OTOKURA_VAULT_KUBERNETES_TOKEN_FILE
  value: /var/run/otokura-vault/token
{{- if .namespace }}
- name: OTOKURA_VAULT_NAMESPACE
  value: {{ .namespace | quote }}
{{- end }}
{{- if .ownAuthority }}
- name: OTOKURA_VAULT_CA_FILE
  value: /etc/otokura/vault-ca.pem
{{- end }}
{{- end }}
{{- else -}}
- name: OTOKURA_KEYRING_FILE
  value: /etc/otokura/keyring.json
{{- end }}
{{- end }}

{{/* Arguments: root, name, env (further environment as a YAML list, optional), spool (size of its volume, optional). */}}
{{- define "otokura.deployment" -}}
{{- $service := index .root.Values .name -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "otokura.fullname" . }}
  labels: {{- include "otokura.annotatedLabels" . | nindent 4 }}
spec:
  {{- if not (dig "autoscaling" "enabled" false $service) }}
  replicas: {{ $service.replicas }}
  {{- end }}
  selector:
    matchLabels: {{- include "otokura.labels" . | nindent 6 }}
  template:
    metadata:
      labels: {{- include "otokura.annotatedLabels" . | nindent 8 }}
      annotations:
        checksum/config: {{ include (print .root.Template.BasePath "/configmap.yaml") .root | sha256sum }}
        {{- if .witnesses }}
        checksum/witnesses: {{ .root.Values.witnesses | toJson | sha256sum }}
        {{- end }}
        prometheus.io/scrape: "true"
        prometheus.io/port: {{ $service.port | quote }}
        prometheus.io/path: /metrics
    spec:
      automountServiceAccountToken: false
      {{- if include "otokura.keys.inVault" . }}
      serviceAccountName: {{ include "otokura.fullname" . }}
      {{- end }}
      enableServiceLinks: false
      # Long enough to store the open segments of live calls and to close reads in the log.
      terminationGracePeriodSeconds: 60
      securityContext: {{- include "otokura.podSecurity" . | nindent 8 }}
      {{- with .root.Values.image.pullSecrets }}
      imagePullSecrets: {{- toYaml . | nindent 8 }}
      {{- end }}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels: {{- include "otokura.labels" . | nindent 14 }}
      containers:
        - name: {{ .name }}
          image: {{ printf "%s/otokura-%s:%s" .root.Values.image.registry .name (default .root.Chart.AppVersion .root.Values.image.tag) }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          securityContext: {{- include "otokura.containerSecurity" . | nindent 12 }}
          ports:
            - name: http
              containerPort: {{ $service.port }}
          envFrom:
            - configMapRef:
                name: {{ include "otokura.fullname" (dict "root" .root "name" "config") }}
          env:
            - name: OTOKURA_HOST
              value: 0.0.0.0
            - name: OTOKURA_PORT
              value: {{ $service.port | quote }}
            - name: OTOKURA_AUDIT_SIGNING_KEY_FILE
              value: /etc/otokura/audit-signing-key.pem
            {{- include "otokura.secretEnv" (dict "env" "OTOKURA_DATABASE_URL" "secret" $service.secretName "key" "database-url") | nindent 12 }}
            {{- include "otokura.secretEnv" (dict "env" "OTOKURA_S3_ACCESS_KEY" "secret" $service.secretName "key" "s3-access-key") | nindent 12 }}
            {{- include "otokura.secretEnv" (dict "env" "OTOKURA_S3_SECRET_KEY" "secret" $service.secretName "key" "s3-secret-key") | nindent 12 }}
            {{- with .env }}
            {{- . | nindent 12 }}
            {{- end }}
          # Migrations run before the port opens, under a lock: give them time.
          startupProbe:
            httpGet: {path: /healthz, port: http}
            periodSeconds: 2
            failureThreshold: {{ div (default 180 $service.startSeconds) 2 }}
          livenessProbe:
            httpGet: {path: /healthz, port: http}
            periodSeconds: 10
            failureThreshold: 3
          readinessProbe:
            httpGet: {path: /readyz, port: http}
            periodSeconds: 5
            timeoutSeconds: 5
          resources: {{- toYaml $service.resources | nindent 12 }}
          volumeMounts:
            - name: secrets
              mountPath: /etc/otokura
              readOnly: true
            {{- if include "otokura.keys.inVault" . }}
            - name: vault
              mountPath: /var/run/otokura-vault
              readOnly: true
            {{- end }}
            {{- if .witnesses }}
            - name: witnesses
              mountPath: /etc/otokura-witnesses
              readOnly: true
            {{- end }}
            - name: tmp
              mountPath: /tmp
            {{- with .spool }}
            - name: spool
              mountPath: /var/spool/otokura
            {{- end }}
      volumes:
        - name: secrets
          secret:
            secretName: {{ $service.secretName }}
            # Owner root, group 10001: the process reads, nobody else does.
            defaultMode: 0440
        {{- if include "otokura.keys.inVault" . }}
        - name: vault
          # Good for Vault alone: the Kubernetes API takes no token of this audience.
          projected:
            defaultMode: 0440
            sources:
              - serviceAccountToken:
                  path: token
                  audience: {{ .root.Values.keys.vault.audience | quote }}
                  expirationSeconds: 3600
        {{- end }}
        {{- with .witnesses }}
        - name: witnesses
          configMap:
            name: {{ . }}
        {{- end }}
        - name: tmp
          # In memory: nothing that passes through a service may reach a node's disk.
          emptyDir:
            medium: Memory
            sizeLimit: 64Mi
        {{- with .spool }}
        - name: spool
          # On the node's disk, encrypted: it outlives the container, not the pod.
          emptyDir:
            sizeLimit: {{ . }}
        {{- end }}
{{- end }}

{{/* Anywhere but at a private address, or at one where a cloud keeps its own services. */}}
{{- define "otokura.publicAddresses" -}}
- ipBlock:
    cidr: 0.0.0.0/0
    except: [10.0.0.0/8, 100.64.0.0/10, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16, 168.63.129.16/32]
- ipBlock:
    cidr: 2000::/3
{{- end }}

{{- define "otokura.service" -}}
{{- $service := index .root.Values .name -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "otokura.fullname" . }}
  labels: {{- include "otokura.annotatedLabels" . | nindent 4 }}
spec:
  selector: {{- include "otokura.labels" . | nindent 4 }}
  ports:
    - name: http
      port: 80
      targetPort: http
{{- end }}

{{- define "otokura.disruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "otokura.fullname" . }}
  labels: {{- include "otokura.annotatedLabels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels: {{- include "otokura.labels" . | nindent 6 }}
{{- end }}

{{/*
Default deny; then only what the table of the design says: DNS, PostgreSQL, Kafka, S3, and HTTP from the ingress.
Arguments: root, name, ingress and egress (further rules as YAML lists, optional).
*/}}
{{- define "otokura.networkPolicy" -}}
{{- $service := index .root.Values .name -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "otokura.fullname" . }}
  labels: {{- include "otokura.annotatedLabels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- include "otokura.labels" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    - from:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: {{ .root.Values.ingressFrom.namespace }}
      ports:
        - port: {{ $service.port }}
    {{- with .ingress }}
    {{- . | nindent 4 }}
    {{- end }}
  egress:
    - to:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: kube-system
      ports:
        - {port: 53, protocol: UDP}
        - {port: 53, protocol: TCP}
    - to:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: {{ .root.Values.postgres.namespace }}
      ports:
        - port: {{ .root.Values.postgres.port }}
    - to:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: {{ .root.Values.kafka.namespace }}
      ports:
        - port: {{ .root.Values.kafka.port }}
    {{- if .root.Values.s3.endpoint }}
    # An S3 outside of the cluster: its address is not known to the chart.
    - ports:
        - port: 443
    {{- else }}
    - to:
        - podSelector:
            matchLabels: {{- include "otokura.labels" (dict "root" .root "name" "minio") | nindent 14 }}
      ports:
        - port: 9000
    {{- end }}
    {{- if include "otokura.keys.inVault" . }}
    - to:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: {{ .root.Values.keys.vault.kubernetesNamespace }}
      ports:
        - port: {{ .root.Values.keys.vault.port }}
    {{- end }}
    {{- with .egress }}
    {{- . | nindent 4 }}
    {{- end }}
{{- end }}
